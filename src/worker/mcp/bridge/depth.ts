import type { JSONRPCErrorResponse } from "@modelcontextprotocol/server";
import { isRecord } from "../../../json/parse.ts";
import { RPC, rpcError } from "./rpc-error.ts";

/** The most levels of nesting in a message; no MCP server needs a tenth of it. */
const MAX_DEPTH = 1000;

/**
 * Returns whether parsed JSON is nested too deeply to be written again: Bun's `JSON.parse` accepts 200,000 levels, while its
 * `JSON.stringify` throws at 100,000. It walks without recursion for the same reason.
 */
export function isTooDeep(value: unknown): boolean {
  let level: object[] = isObject(value) ? [value] : [];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true;
    const next: object[] = [];
    for (const each of level) for (const member of Object.values(each)) if (isObject(member)) next.push(member);
    level = next;
  }
  return false;
}

/** Does the same for what was parsed from so many bytes. Each level takes two, so most messages need no walk. */
export function isTooDeepIn(bytes: number, value: unknown): boolean {
  return bytes > 2 * MAX_DEPTH && isTooDeep(value);
}

/** Returns the error with which the call fails whose response is too deep; undefined for any other message. */
export function tooDeepError(message: unknown): JSONRPCErrorResponse | undefined {
  if (!isRecord(message) || "method" in message) return undefined;
  const { id } = message;
  if (typeof id !== "string" && typeof id !== "number") return undefined;
  return rpcError(RPC.internal, `The MCP server's response is nested more than ${MAX_DEPTH} levels deep.`, id);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
