import type { Answer, Failure } from "../answering/opening.ts";
import { type HeaderPairs, isHeaderPairs, type RequestHead } from "../wire/heads.ts";
import { connectionNames, connectionNamesIn, HOP_BY_HOP } from "../wire/hop-by-hop.ts";
import { bodyToItsEnd, UnfinishedBody } from "./close-delimited.ts";
import { certificateHint } from "./dial-error.ts";
import type { PathMap } from "./route.ts";

/** The place where jobs are sent at present. */
export interface BackendTarget {
  /** Base URL without a trailing slash: `http://127.0.0.1:11434/v1`. */
  readonly base: string;
  /** The kind of model server, and its version, as far as they are known. */
  readonly family: string | undefined;
  readonly version: string | undefined;
  /** The bearer token to send; undefined for none. */
  readonly key: string | undefined;
  /** URLs of jobs on a server with paths of its own; undefined: jobs go to their paths under `base`. */
  readonly paths: PathMap | undefined;
  /** The proxy on the way to it; false for none. */
  readonly proxy: string | false;
}

export interface BackendRequest {
  /** The URL to call. MUST come from `routeJob` or `toBackendUrl`: it is not checked again. */
  readonly url: string;
  readonly head: RequestHead;
  readonly key: string | undefined;
  /** The proxy to use; false for none. Without it Bun would obey `HTTP_PROXY` for servers on this machine as well. */
  readonly proxy: string | false;
  /** Undefined for none. */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | undefined;
  readonly signal: AbortSignal;
  /** Headers of the operator's own. They replace the client's. */
  readonly extra?: HeaderPairs;
  /** Whether the backend may receive the request twice, because a second run would do no harm. */
  readonly isRepeatable: boolean;
}

/** Headers that this hop sets itself, and the client's credentials, which are not meant for the backend. */
const NOT_TO_BACKEND = new Set([
  ...HOP_BY_HOP,
  "host",
  "content-length",
  "expect",
  "accept-encoding",
  "authorization",
  "x-api-key",
  "api-key",
  "cookie",
]);
const NOT_TO_SERVER = new Set(HOP_BY_HOP);

/**
 * Sends a job to the backend. Redirects are returned as answers, bodies keep their encoding, and Bun's own timeout is off
 * because the exchange watches over silence.
 *
 * Connections are kept for later jobs, and a kept one may break just as a job is written to it: llama.cpp closes the
 * connection after each streamed answer without announcing it, and other servers close idle ones. A repeatable request
 * whose connection breaks before the answer's head is therefore sent once more, on a new connection. A streamed body
 * would be spent by then, so its first connection is a new one, and it is not repeated.
 */
export async function callBackend(request: BackendRequest): Promise<Response> {
  const { body, signal, isRepeatable } = request;
  const isStream = body instanceof ReadableStream;
  try {
    return await send(request, { isFirst: true, keepalive: !isStream });
  } catch (error) {
    if (!isRepeatable || isStream || signal.aborted || !hasBrokenOff(error)) throw error;
    return send(request, { isFirst: false, keepalive: false });
  }
}

interface Sending {
  /** Whether the backend gets the request for the first time. */
  readonly isFirst: boolean;
  readonly keepalive: boolean;
}

function send(request: BackendRequest, { isFirst, keepalive }: Sending): Promise<Response> {
  const { url, head, key, proxy, body, signal, extra } = request;
  const headers = toBackendHeaders(head.headers, key);
  if (extra !== undefined) for (const [name, value] of extra) headers.set(name, value);
  const id = isFirst ? null : headers.get("x-request-id");
  // The first one may still run there, and some backends refuse a second request with the same id.
  if (id !== null) headers.set("x-request-id", `${id}-again`);
  // Bun measures a body that it has. For a streamed one it sends this length, and breaks off when the body differs.
  const length = body instanceof ReadableStream ? statedLength(head.headers) : undefined;
  if (length !== undefined) headers.set("content-length", length);
  return fetch(url, {
    method: head.method,
    headers,
    // The type asks for a view of plain memory, and a frame's body is one.
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> }),
    redirect: "manual",
    proxy,
    signal,
    // Where it is false, Bun takes a new connection and closes it afterwards.
    keepalive,
    decompress: false,
    timeout: false,
  });
}

/** Returns the client's headers as the backend receives them. */
export function toBackendHeaders(pairs: HeaderPairs, key: string | undefined): Headers {
  const headers = new Headers();
  const named = connectionNamesIn(pairs);
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (!NOT_TO_BACKEND.has(lower) && !named?.has(lower)) headers.append(lower, value);
  }
  headers.set("accept-encoding", "identity");
  if (key !== undefined) headers.set("authorization", `Bearer ${key}`);
  return headers;
}

/** Returns the body's length as the client declared it, if that is one plain number. */
function statedLength(pairs: HeaderPairs): string | undefined {
  const values = pairs.filter(([name]) => name.toLowerCase() === "content-length").map(([, value]) => value);
  // JavaScript counts 15 digits exactly, and no upload is that large.
  return values.length === 1 && /^\d{1,15}$/.test(values[0] ?? "") ? values[0] : undefined;
}

/** Returns a response in the wire's words. Its body is left unread. */
export function toAnswer({ status, headers, body }: Response): Answer {
  return { status, headers: toHeaderPairs(headers), body };
}

/**
 * Does the same for a fetched response. Its body fails where it is known to have ended too early. `path` is the route that
 * was called.
 */
export function toFetchedAnswer(response: Response, path: string): Answer {
  return { status: response.status, headers: toHeaderPairs(response.headers), body: bodyToItsEnd(response, path) };
}

/** Ends an answer whose body nobody wants. */
export async function discardAnswer({ body }: Answer): Promise<void> {
  if (body instanceof ReadableStream) await body.cancel();
}

/**
 * Returns the backend's headers as the server receives them. A header that no frame can carry is left out, so that it does
 * not end the link.
 */
export function toHeaderPairs(headers: Headers): HeaderPairs {
  const pairs: [string, string][] = [];
  const named = connectionNames(headers.get("connection"));
  for (const [name, value] of headers) {
    if (NOT_TO_SERVER.has(name) || named?.has(name)) continue;
    const pair: [string, string] = [name, value];
    if (isHeaderPairs([pair])) pairs.push(pair);
  }
  return pairs;
}

/** Error codes of Bun and the system for a connection that failed, so that the backend has seen nothing of the job. */
const NO_CONNECTION =
  /^(?:ConnectionRefused|FailedToOpenSocket|ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EAI_\w+|ENOENT|DNS\w*|ERR_TLS\w*|ERR_SSL\w*|\w*CERT\w*|UNABLE_TO_\w+)$/;

/**
 * Error codes for a connection that was made and then closed by the other side. Bun reports FIN and RST alike as
 * `ECONNRESET`; `EPIPE` is the system's code for a write to a closed connection.
 */
const CONNECTION_BROKEN: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/** Whether a call failed because its connection was closed, in which case the backend may have read the request. */
function hasBrokenOff(error: unknown): boolean {
  return CONNECTION_BROKEN.has(errorCode(error));
}

/** A call that failed for a reason which this program knows itself. */
export class FailedCall extends Error {
  override readonly name = "FailedCall";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Says why a call failed, for RESET and the log: by the system's error code, never by an address or a header. */
export function toFailure(error: unknown): Failure {
  if (error instanceof UnfinishedBody) return { code: "upstream_error", message: error.message };
  if (error instanceof FailedCall) return error.failure;
  const cause = errorCode(error);
  // Without an error code of the system the network was not involved: a GET with a body, for example.
  if (/^(?:TypeError|ERR_INVALID_\w+)$/.test(cause))
    return { code: "internal", message: "the request cannot be sent in this form" };
  if (cause === "ERR_HTTP_CONTENT_LENGTH_MISMATCH")
    return { code: "protocol_error", message: "the request's body does not have its declared length" };
  if (NO_CONNECTION.test(cause)) {
    const hint = certificateHint(cause);
    const message = `the server behind this worker does not answer: ${cause}${hint === undefined ? "" : `; ${hint}`}`;
    return { code: "upstream_unreachable", message };
  }
  return { code: "upstream_error", message: `the server behind this worker broke off its answer: ${cause}` };
}

/** Returns the system's error code of a failed call: `ECONNREFUSED`. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
