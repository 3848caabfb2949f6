import type { JSONRPCRequest } from "@modelcontextprotocol/server";

/** The methods whose subject is repeated in a header, and the parameter that holds it. */
const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

/** Returns what the header of a request's subject has to say; undefined for a request without one. */
export function subjectOf(method: string, params: JSONRPCRequest["params"]): string | undefined {
  const named = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
  const subject = named === undefined ? undefined : params?.[named];
  return typeof subject === "string" ? subject : undefined;
}

/**
 * Returns what is wrong with the headers in which a stateless request repeats its body; undefined for nothing. The peer sees
 * no headers, so only the bridge can check them. Version and method, where present, have been compared before.
 */
export function headerFault(headers: Headers, { method, params }: JSONRPCRequest): string | undefined {
  if (!headers.has("mcp-protocol-version")) return "the MCP-Protocol-Version header is missing";
  if (!headers.has("mcp-method")) return "the Mcp-Method header is missing";
  const named = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
  if (named === undefined) return undefined;
  const inBody = params?.[named];
  const header = headers.get("mcp-name");
  if (header === null) return typeof inBody === "string" ? "the Mcp-Name header is missing" : undefined;
  const inHeader = decodeHeader(header.trim());
  if (inHeader === undefined) return "the Mcp-Name header is not well encoded";
  return typeof inBody === "string" && inBody !== inHeader ? `the Mcp-Name header is not params.${named}` : undefined;
}

/** Decodes a header's value; one that is not plain ASCII travels as `=?base64?…?=`. Undefined for malformed ones. */
export function decodeHeader(value: string): string | undefined {
  const encoded = /^=\?base64\?(.*)\?=$/s.exec(value)?.[1];
  if (encoded === undefined) return value;
  const bytes = Buffer.from(encoded, "base64");
  // Node's decoder ignores characters that are not base64.
  if (bytes.toString("base64") !== encoded) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Encodes a header's value, so that `decodeHeader` returns it. */
export function encodeHeader(value: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value) && decodeHeader(value) === value;
  return isPlain ? value : `=?base64?${Buffer.from(value).toString("base64")}?=`;
}
