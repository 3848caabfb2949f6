import { membersOf } from "../../json/scan.ts";

/** What is read of a call in passing: for errors and counts, never to decide what happens to it. */
export interface RpcFacts {
  /** The request's id as it was written; undefined where there is none that JSON-RPC knows. */
  readonly id: string | undefined;
  readonly method: string | undefined;
  /** The function that is called; undefined for any other method. */
  readonly functionName: string | undefined;
}

export const NO_FACTS: RpcFacts = { id: undefined, method: undefined, functionName: undefined };

const MAX_ID_CHARS = 256;
const MAX_METHOD_CHARS = 128;
/** As it is written, with escapes. */
const MAX_NAME_CHARS = 1024;
const decoder = new TextDecoder();

/** Reads a whole body. Anything that is no single JSON-RPC message has no facts, which is nobody's error here. */
export function readRpcFacts(body: Uint8Array): RpcFacts {
  const members = membersOf(body);
  if (!members) return NO_FACTS;
  const textOf = (name: string): string | undefined => {
    const range = members.get(name);
    return range && decoder.decode(body.subarray(range.start, range.end));
  };
  const id = textOf("id");
  const written = textOf("method");
  const method = written !== undefined && written.length <= MAX_METHOD_CHARS ? parseString(written) : undefined;
  const params = method === CALL ? members.get("params") : undefined;
  return {
    id: id !== undefined && id.length <= MAX_ID_CHARS && isId(id) ? id : undefined,
    method,
    functionName: params && readName(body, params.start),
  };
}

/** The method that calls a function. */
const CALL = "tools/call";

/** Clients of the stateless era say in headers what is in a body that is too large to be looked at. */
export function readHeaderFacts(headers: Headers): RpcFacts {
  const method = headers.get("mcp-method") ?? undefined;
  const name = method === CALL ? headers.get("mcp-name") : null;
  return { ...NO_FACTS, method, functionName: name === null ? undefined : decodeHeader(name) };
}

function readName(body: Uint8Array, at: number): string | undefined {
  const range = membersOf(body, at)?.get("name");
  if (!range || range.end - range.start > MAX_NAME_CHARS) return undefined;
  return parseString(decoder.decode(body.subarray(range.start, range.end)));
}

/** Text beyond ASCII stands in headers as `=?base64?…?=`. */
function decodeHeader(value: string): string {
  const encoded = /^=\?base64\?([A-Za-z0-9+/=]*)\?=$/.exec(value)?.[1];
  return encoded === undefined ? value : Buffer.from(encoded, "base64").toString();
}

/**
 * A number or a string: null is what JSON-RPC has for an id that could not be read, and MCP knows no other kinds. Exactly
 * JSON's own (RFC 8259 §6): the id is put into an answer as it was written, in a body that nobody has parsed.
 */
function isId(text: string): boolean {
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) || parseString(text) !== undefined;
}

function parseString(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined; // Not JSON: whoever serves the call will say so.
  }
}

/** The methods of both eras, by which calls are counted; clients choose names freely, so that others share one place. */
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

/** A label with few values: a method of the specification, `GET` or `DELETE`, or `other`. */
export function methodLabel(httpMethod: string, rpcMethod: string | undefined): string {
  if (httpMethod !== "POST") return httpMethod;
  return rpcMethod !== undefined && METHODS.has(rpcMethod) ? rpcMethod : "other";
}
