import { CREDENTIAL_HEADERS } from "../system/credential-headers.ts";
import { type HeaderPairs, isHeaderValue } from "../wire/heads.ts";
import { connectionNames, connectionNamesIn, HOP_BY_HOP } from "../wire/hop-by-hop.ts";

/** Headers about the client's hop to this server, which a backend would take for the hop to itself. */
const HOP_HEADERS = [
  "host",
  "content-length",
  "expect",
  "accept-encoding",
  "origin",
  "referer",
  "forwarded",
  "via",
  "x-real-ip",
  "fly-client-ip",
];

const NOT_FORWARDED = new Set([...HOP_BY_HOP, ...CREDENTIAL_HEADERS, ...HOP_HEADERS, "x-request-id"]);

/**
 * Prefixes of headers that browsers, edge proxies and sign-in proxies add about the client. In addition to its address,
 * `x-forwarded-` and `x-auth-request-` headers carry its name and its tokens. `x-moorage-` headers are for this server.
 */
const NOT_FORWARDED_PREFIX = /^(?:sec-|fly-|cf-|access-control-|x-forwarded-|x-auth-request-|x-moorage-)/;

/**
 * Returns the request headers that a worker gets: those that describe the message, without the client's credentials.
 * `x-request-id` is the id under which the backend gets the request (`attemptId`). `accept-encoding` is left out, so that
 * text comes uncompressed: the server reads `usage` in it and puts comments between its lines.
 */
export function toWorkerHeaders(headers: Headers, requestId: string): HeaderPairs {
  const pairs: [string, string][] = [["x-request-id", requestId]];
  const named = connectionNames(headers.get("connection"));
  // Bun's plain-object view is one native call instead of an iterator step per header: two thirds of the time of forEach.
  const view = headers.toJSON();
  for (const name in view) {
    if (NOT_FORWARDED.has(name) || NOT_FORWARDED_PREFIX.test(name) || named?.has(name)) continue;
    const value = String(view[name]);
    // Bun accepts a DEL in a value. A worker that got a head with one would close its link.
    if (isHeaderValue(value)) pairs.push([name, value]);
  }
  return pairs;
}

/** Headers of an answer that would change this origin's rules, speak for this server, or command a proxy in front of it. */
const NOT_RETURNED = new Set([
  ...HOP_BY_HOP,
  "set-cookie",
  "set-cookie2",
  "content-length",
  "alt-svc",
  "strict-transport-security",
  "clear-site-data",
  "service-worker-allowed",
  "content-security-policy",
  "content-security-policy-report-only",
  "refresh",
  "nel",
  "report-to",
  "reporting-endpoints",
  "x-sendfile",
  "x-request-id",
  "date",
  "server",
]);
const NOT_RETURNED_PREFIX = /^(?:access-control-|cross-origin-|x-accel-|x-lighttpd-|x-moorage-)/;

/** Returns the headers that the client gets: the backend's own, without those that belong to a hop or to this origin. */
export function toClientHeaders(pairs: HeaderPairs, requestId: string): Headers {
  const headers = new Headers();
  const named = connectionNamesIn(pairs);
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (NOT_RETURNED.has(lower) || NOT_RETURNED_PREFIX.test(lower) || named?.has(lower)) continue;
    headers.append(lower, value);
  }
  headers.set("x-request-id", requestId);
  // A worker's answer is untrusted: whatever type it claims, a browser must not turn it into a page of this origin.
  headers.set("x-content-type-options", "nosniff");
  const type = headers.get("content-type") ?? "";
  if (!HARMLESS_TYPE.test(type)) headers.set("content-security-policy", "sandbox");
  return headers;
}

/**
 * Names the model that served a request, for one that asked by another name. Characters that no header takes are
 * percent-encoded.
 */
export function nameServedModel(headers: Headers, model: string): void {
  headers.set("x-moorage-model", toPrintable(model));
}

/** The most workers that one answer names. More serve parts of one request only if many of them fail. */
const MAX_NAMED_WORKERS = 16;

/** A worker, as a client is told about it. */
export interface NamedWorker {
  readonly id: string;
  /** The other server that it is connected to; absent for this one. */
  readonly server?: string;
}

/**
 * Names the workers that served a request, the other servers that they are connected to, and the reason why they got the
 * request.
 */
export function nameWorkers(headers: Headers, workers: readonly NamedWorker[], reason: string): void {
  const list = (names: Iterable<string>): string => [...names].slice(0, MAX_NAMED_WORKERS).map(toPrintable).join(", ");
  headers.set("x-moorage-worker", list(new Set(workers.map(({ id }) => id))));
  const servers = new Set(workers.flatMap(({ server }) => server ?? []));
  if (servers.size > 0) headers.set("x-moorage-server", list(servers));
  headers.set("x-moorage-reason", reason);
}

/** Percent-encodes the characters that no header takes, and those with a meaning in a list. */
export function toPrintable(name: string): string {
  return name.replace(/[^\x21-\x7e]|[%,]/gu, encodeURIComponent);
}

/**
 * Types that no browser renders as a page. Only a single type counts: of several joined by commas, browsers use the last.
 */
const HARMLESS_TYPE = /^(?:application\/(?:[\w.+-]*\+)?json|text\/event-stream|text\/plain)[\t ]*(?:;[^,]*)?$/i;

/**
 * Returns the id under which a backend gets the `nth` request that is made for one request of a client, from 1 on. No two of
 * them are the same, because some backends refuse a request whose id is already running.
 */
export function attemptId(requestId: string, nth: number): string {
  return nth === 1 ? requestId : `${requestId}-${nth}`;
}

const SANE_REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Returns the client's request id if it is safe to log and to pass on, else undefined. */
export function saneRequestId(headers: Headers): string | undefined {
  const given = headers.get("x-request-id");
  return given !== null && SANE_REQUEST_ID.test(given) ? given : undefined;
}
