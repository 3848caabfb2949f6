import type { Answer, Failure } from "../answering/opening.ts";
import { type HeaderPairs, isHeaderPairs, type RequestHead } from "../wire/frame.ts";
import { connectionNames, connectionNamesIn, HOP_BY_HOP } from "../wire/hop-by-hop.ts";
import type { PathMap } from "./route.ts";

/** Where jobs are sent now. */
export interface BackendTarget {
  /** Base URL without a trailing slash: `http://127.0.0.1:11434/v1`. */
  readonly base: string;
  /** Sent as a bearer token. */
  readonly key: string | undefined;
  /** Where jobs go on a server whose paths are its own; undefined: to their paths under `base`. */
  readonly paths: PathMap | undefined;
}

export interface BackendRequest {
  /** Made by `routeJob`: nothing here looks at it again. */
  readonly url: string;
  readonly head: RequestHead;
  readonly key: string | undefined;
  /** Undefined: none. */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | undefined;
  readonly signal: AbortSignal;
}

/** What this hop sets itself, and credentials: whoever asks the server has no business with the backend's own. */
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
 * Asks the backend, over connections that are kept for the next job. Redirects are answers, bodies stay as encoded, and
 * Bun's own timeout is off: the exchange judges silence.
 */
export function callBackend({ url, head, key, body, signal }: BackendRequest): Promise<Response> {
  const headers = toBackendHeaders(head.headers, key);
  // Bun measures a body that it has; of one that streams it sends this length, and breaks off when it is not kept.
  const length = body instanceof ReadableStream ? statedLength(head.headers) : undefined;
  if (length !== undefined) headers.set("content-length", length);
  return fetch(url, {
    method: head.method,
    headers,
    // A view on any kind of buffer is a body; the type asks for one on plain memory, which a message's is.
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> }),
    redirect: "manual",
    signal,
    decompress: false,
    timeout: false,
  });
}

/** The client's headers as the backend gets them. */
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

/** The length of the body as the client gave it, when it is one plain number. */
function statedLength(pairs: HeaderPairs): string | undefined {
  const values = pairs.filter(([name]) => name.toLowerCase() === "content-length").map(([, value]) => value);
  // 15 digits are a number that JavaScript counts exactly, and more than any upload.
  return values.length === 1 && /^\d{1,15}$/.test(values[0] ?? "") ? values[0] : undefined;
}

/** Returns a fetched answer in the wire's words. Its body is left unread. */
export function toAnswer(response: Response): Answer {
  return { status: response.status, headers: toHeaderPairs(response.headers), body: response };
}

/** Ends an answer whose body nobody wants. */
export async function discardAnswer({ body }: Answer): Promise<void> {
  if (!(body instanceof Uint8Array)) await body.body?.cancel();
}

/** The backend's headers as the server gets them. One that no frame may carry is left out: it must not cost the link. */
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

/** Codes of Bun and of the system that mean: no connection, so the backend has seen nothing of this job. */
const NO_CONNECTION =
  /^(?:ConnectionRefused|FailedToOpenSocket|ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EAI_\w+|ENOENT|DNS\w*|ERR_TLS\w*|ERR_SSL\w*|\w*CERT\w*|UNABLE_TO_\w+)$/;

/** Why a call failed, for RESET and for the log: a code of the system, never an address or a header. */
export function toFailure(error: unknown): Failure {
  const cause = errorCode(error);
  // Without a code of the system there was no network in it: a body on a GET, for one.
  if (/^(?:TypeError|ERR_INVALID_\w+)$/.test(cause))
    return { code: "internal", message: "the request cannot be sent as it is" };
  if (cause === "ERR_HTTP_CONTENT_LENGTH_MISMATCH")
    return { code: "protocol_error", message: "the request's body is not as long as its head says" };
  if (NO_CONNECTION.test(cause))
    return { code: "upstream_unreachable", message: `the server behind this worker does not answer: ${cause}` };
  return { code: "upstream_error", message: `the model server broke off: ${cause}` };
}

/** The system's code of a failed fetch: `ECONNREFUSED`. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
