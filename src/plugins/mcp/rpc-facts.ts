import { leadingMembersOf, membersOf } from "../../json/scan.ts";
import { LISTEN_METHOD } from "../../wire/mcp-headers.ts";

/** The facts about a request that errors and counts need. They do not decide where the request goes. */
export interface RpcFacts {
  /** The JSON-RPC id exactly as the client wrote it; undefined if there is none, or none that JSON-RPC allows. */
  readonly id: string | undefined;
  /**
   * The label under which the call is counted. It has few values: a method of the specification, `GET`, `DELETE` or
   * `other`.
   */
  readonly label: string;
  /** The function that the call names; undefined for every method but `tools/call`. */
  readonly functionName: string | undefined;
  /**
   * Whether it may be a call, on which the MCP server works until it answers. Not a notification, an answer of the client, or a stream
   * that only listens. By the body alone, because headers may lie.
   */
  readonly isCall: boolean;
  /** The tool, prompt or resource that the call names; undefined for a method that names none. */
  readonly target: string | undefined;
  /**
   * Whether the MCP server certainly reads the same method. It may read another one where a body is large, or is no single
   * JSON-RPC message.
   */
  readonly isCertain: boolean;
  /** Whether the answer stays open until the client leaves or the server drains. */
  readonly isStream: boolean;
}

/** A JSON-RPC message, as far as it is looked at. */
type Message = Pick<RpcFacts, "id" | "target" | "isCertain"> & { readonly method: string | undefined };

const NOTHING: Message = { id: undefined, method: undefined, target: undefined, isCertain: false };

const MAX_ID_CHARS = 256;
const MAX_METHOD_CHARS = 128;
/** Longest name of a function as it is written, with escapes. */
const MAX_NAME_CHARS = 1024;
const decoder = new TextDecoder();

/**
 * Reads the facts from a request's body, or from its headers if the body is not available. `isWhole` is false for the
 * beginning of a larger body. Never throws: a body that is not a single JSON-RPC message has no id and no method, and the
 * MCP server will reject it.
 */
export function readFacts(
  request: Pick<Request, "method" | "headers">,
  body: Uint8Array | undefined,
  isWhole = true,
): RpcFacts {
  const headerMethod = request.headers.get("mcp-method") ?? undefined;
  const { id, method, target, isCertain } = body
    ? readMessage(body, isWhole, request.headers)
    : readHeaders(request.headers, headerMethod);
  return {
    id,
    functionName: method === CALL ? target : undefined,
    target,
    isCertain: isCertain || request.method !== "POST",
    label: toLabel(request.method, method),
    isCall: request.method === "POST" && !(isCertain && isNoCall(id, method)),
    isStream: request.method === "GET" || (headerMethod ?? method) === LISTEN_METHOD,
  };
}

/** Whether a message is an answer, asks only to listen, or wants no answer. */
function isNoCall(id: string | undefined, method: string | undefined): boolean {
  return method === undefined || method === LISTEN_METHOD || (id === undefined && method.startsWith("notifications/"));
}

function readMessage(body: Uint8Array, isWhole: boolean, headers: Headers): Message {
  const members = isWhole ? membersOf(body) : leadingMembersOf(body);
  if (!members) return NOTHING;
  const textOf = (name: string): string | undefined => {
    const range = members.get(name);
    return range && decoder.decode(body.subarray(range.start, range.end));
  };
  const id = toId(textOf("id"));
  const written = textOf("method");
  const method = written !== undefined && written.length <= MAX_METHOD_CHARS ? parseString(written) : undefined;
  if (!isWhole && method === undefined) {
    return { ...readHeaders(headers, headers.get("mcp-method") ?? undefined), id };
  }
  const member = method === undefined ? undefined : TARGETS.get(method);
  const params = member === undefined ? undefined : members.get("params");
  const target = member === undefined || !params ? undefined : readText(body, params.start, member, isWhole);
  const isResponse = !members.has("method") && (members.has("result") || members.has("error"));
  return { id, method, target, isCertain: isWhole && (method !== undefined || isResponse) };
}

/** The number of bytes at the end of a body in which its id is looked for. */
export const TAIL_BYTES = 512;

/** An id, as the last member of a message or the last but one. The quotes of text inside a string would be escaped. */
const LAST_ID = /[{,]\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|[-+.\deE]+)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** Returns the id that stands at the end of a message, where many clients write it; `tail` is the last part of the body. */
export function idAtEnd(tail: Uint8Array): string | undefined {
  return toId(LAST_ID.exec(decoder.decode(tail))?.[1]);
}

function toId(text: string | undefined): string | undefined {
  return text !== undefined && text.length <= MAX_ID_CHARS && isId(text) ? text : undefined;
}

/** The method that calls a function. */
const CALL = "tools/call";

/** The methods that use a tool, prompt or resource, and the member of `params` that names it. */
const TARGETS: ReadonlyMap<string, string> = new Map([
  [CALL, "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
]);

/** Whether a method uses a tool, prompt or resource. */
export function usesTarget(label: string): boolean {
  return TARGETS.has(label);
}

/** Clients of the stateless era repeat in headers what the body says, which serves for a body that is too large to read. */
function readHeaders(headers: Headers, method: string | undefined): Message {
  const name = method !== undefined && TARGETS.has(method) ? headers.get("mcp-name") : null;
  return { ...NOTHING, method, target: name === null ? undefined : decodeHeader(name) };
}

function readText(body: Uint8Array, at: number, member: string, isWhole: boolean): string | undefined {
  const range = (isWhole ? membersOf(body, at) : leadingMembersOf(body, at))?.get(member);
  if (!range || range.end - range.start > MAX_NAME_CHARS) return undefined;
  return parseString(decoder.decode(body.subarray(range.start, range.end)));
}

/** Decodes a header's value, in which text beyond ASCII is written as `=?base64?…?=`. */
function decodeHeader(value: string): string {
  const encoded = /^=\?base64\?([A-Za-z0-9+/=]*)\?=$/.exec(value)?.[1];
  return encoded === undefined ? value : Buffer.from(encoded, "base64").toString();
}

/**
 * Whether a text is a number or a string of JSON, the only ids of MCP. JSON-RPC keeps null for an id that could not be read.
 * The check is strict (RFC 8259 §6), because the text goes into an answer as it was written, from a body that nobody parsed.
 */
function isId(text: string): boolean {
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) || parseString(text) !== undefined;
}

function parseString(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined; // Not JSON: the MCP server will say so.
  }
}

/** The methods of both eras. Clients can send any name, so all others are counted together. */
const METHODS: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "server/discover",
  "tools/list",
  "tools/call",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "prompts/list",
  "prompts/get",
  "completion/complete",
  "logging/setLevel",
  "subscriptions/listen",
  "tasks/get",
  "tasks/list",
  "tasks/result",
  "tasks/update",
  "tasks/cancel",
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/roots/list_changed",
]);

/** Returns a label that another server has sent, or `other` for one that this version does not know. */
export function knownLabel(label: string): string {
  return METHODS.has(label) || HTTP_LABELS.has(label) ? label : "other";
}

/** The labels of requests that are not JSON-RPC messages. */
const HTTP_LABELS = new Set(["GET", "DELETE", "metadata"]);

function toLabel(httpMethod: string, rpcMethod: string | undefined): string {
  if (httpMethod !== "POST") return httpMethod;
  return rpcMethod !== undefined && METHODS.has(rpcMethod) ? rpcMethod : "other";
}
