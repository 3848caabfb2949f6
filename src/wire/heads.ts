import { isRecord } from "../json/parse.ts";
import { type McpCalled, type McpCaller, toMcpCalled, toMcpCaller } from "./mcp-call.ts";
import { isExchangeKind } from "./names.ts";
import { type PeerOrder, type ServingWorker, toPeerOrder, toServingWorker } from "./peer-heads.ts";

// The heads of requests and responses, as frames carry them in JSON. What a peer sends is read here, and never trusted.

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

export interface RequestHead {
  /** What the exchange carries. Absent on the wire for `http`, so that workers which know no other kind see no change. */
  readonly kind?: string;
  readonly method: string;
  /** Relative to the backend's base URL, with a leading slash: `/chat/completions`. */
  readonly path: string;
  readonly headers: HeaderPairs;
  /** How many milliseconds the server waits for bytes before it cancels. The worker's own deadline follows it. */
  readonly timeout_ms?: number;
  /** The public URL of what the client asked, where clients sign in with OAuth: their tokens are issued for it (RFC 9728). */
  readonly resource?: string;
  /** The caller of an MCP relay, where the server has found out who calls. */
  readonly caller?: McpCaller;
  /** Whether the client asked for a stream; the legacy dialect repeats it beside the body. */
  readonly stream?: boolean;
  /**
   * Set if the server would like the backend to state the usage of this stream, which the client did not ask for. A worker
   * whose backend can do that makes this change to the body, and says so in its response.
   */
  readonly metered?: BodyEdit;
  /** The job that another server of the cluster is asked to serve. Only on links between servers. */
  readonly peer?: PeerOrder;
}

/** A change to a body: `text` in place of the bytes from `at` to `end`, or before `at` if the two are equal. */
export interface BodyEdit {
  readonly at: number;
  readonly end: number;
  readonly text: string;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderPairs;
  /**
   * Set if the worker itself has refused the caller: `token` for a wrong token of a relay. No backend can set it, because it
   * is no header.
   */
  readonly refused?: "token";
  /**
   * Set if the worker has made the change that `RequestHead.metered` describes. One event of the stream then states the
   * usage and is not meant for the client. No backend can set it, because it is no header.
   */
  readonly metered?: boolean;
  /** What was called, as the relay of an MCP server has read it. No backend can set it, because it is no header. */
  readonly called?: McpCalled;
  /** The worker of another server that serves the request. Only on links between servers, so no worker can set it. */
  readonly worker?: ServingWorker;
}

/** Reads the head of a response of a worker; undefined for anything else. */
export function toResponseHead(value: unknown): ResponseHead | undefined {
  if (!isRecord(value)) return undefined;
  const { status, headers, refused, metered } = value;
  // An exchange carries only the final status, never 1xx.
  if (typeof status !== "number" || !Number.isInteger(status) || status < 200 || status > 599) return undefined;
  if (!isHeaderPairs(headers)) return undefined;
  const head: Writable<ResponseHead> = { status, headers };
  // Other values may come from a newer worker, and are ignored like other members.
  if (refused === "token") head.refused = refused;
  else if (metered === true) head.metered = metered;
  const called = value["called"] === undefined ? undefined : toMcpCalled(value["called"]);
  if (called !== undefined) head.called = called;
  return head;
}

/** Reads the head of a response of another server of the cluster. */
export function toLinkResponseHead(value: unknown): ResponseHead | undefined {
  const head: Writable<ResponseHead> | undefined = toResponseHead(value);
  const worker = head && toServingWorker(isRecord(value) ? value["worker"] : undefined);
  if (worker) head.worker = worker;
  return head;
}

/** Reads the head of a request to a worker; undefined for anything else. */
export function toRequestHead(value: unknown): RequestHead | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, method, path, headers, timeout_ms, resource, stream } = value;
  const metered = toBodyEdit(value["metered"]);
  const caller = value["caller"] === undefined ? undefined : toMcpCaller(value["caller"]);
  // What cannot be read may be a restriction.
  if (caller === undefined && value["caller"] !== undefined) return undefined;
  if (kind !== undefined && (typeof kind !== "string" || !isExchangeKind(kind))) return undefined;
  if (typeof method !== "string" || !TOKEN.test(method)) return undefined;
  if (typeof path !== "string" || !path.startsWith("/")) return undefined;
  if (!isHeaderPairs(headers)) return undefined;
  if (timeout_ms !== undefined && (typeof timeout_ms !== "number" || timeout_ms < 0)) return undefined;
  if (resource !== undefined && (typeof resource !== "string" || BAD_VALUE.test(resource))) return undefined;
  if (stream !== undefined && typeof stream !== "boolean") return undefined;
  // A spread for each field would cost more than all checks together.
  const head: Writable<RequestHead> = { method, path, headers };
  if (kind !== undefined) head.kind = kind;
  if (timeout_ms !== undefined) head.timeout_ms = timeout_ms;
  if (resource !== undefined) head.resource = resource;
  if (caller !== undefined) head.caller = caller;
  if (stream !== undefined) head.stream = stream;
  if (metered !== undefined) head.metered = metered;
  return head;
}

/** A head while it is read. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads the order in the head of a request of another server of the cluster: undefined for a head without one, false for one
 * that cannot be read. Such a request MUST NOT be served, because it would be served as a different one.
 */
export function toLinkOrder(value: unknown): PeerOrder | undefined | false {
  const order = isRecord(value) ? value["peer"] : undefined;
  return order === undefined ? undefined : (toPeerOrder(order) ?? false);
}

/** The longest text of a change. The usual one has 40 characters. */
const MAX_EDIT_CHARS = 1024;

/** Reads a change to a body; undefined for anything else, which a newer server may send and an older worker ignores too. */
function toBodyEdit(value: unknown): BodyEdit | undefined {
  if (!isRecord(value)) return undefined;
  const { at, end, text } = value;
  if (!isOffset(at) || !isOffset(end) || end < at) return undefined;
  return typeof text === "string" && text.length <= MAX_EDIT_CHARS ? { at, end, text } : undefined;
}

function isOffset(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** A token of RFC 9110 §5.6.2: the characters of methods and header names. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters of RFC 9110 §5.5 (except tab) and anything past one byte, by which messages are split or smuggled. */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** Returns whether a header's value can be sent over HTTP unchanged. */
export function isHeaderValue(text: string): boolean {
  return !BAD_VALUE.test(text);
}

/** Returns whether a value is header pairs that can be sent over HTTP unchanged. */
export function isHeaderPairs(value: unknown): value is HeaderPairs {
  if (!Array.isArray(value)) return false;
  for (const pair of value) {
    if (!Array.isArray(pair) || pair.length !== 2) return false;
    const [name, text] = pair;
    if (typeof name !== "string" || typeof text !== "string") return false;
    if (!TOKEN.test(name) || !isHeaderValue(text)) return false;
  }
  return true;
}
