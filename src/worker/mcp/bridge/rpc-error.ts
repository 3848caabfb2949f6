import type { JSONRPCErrorResponse, RequestId } from "@modelcontextprotocol/server";
import { jsonResponse } from "./json-response.ts";

/** Makes an error message of the bridge itself. It has no id if none is known: newer revisions do not allow `null`. */
export function rpcError(code: number, message: string, id?: RequestId, data?: unknown): JSONRPCErrorResponse {
  return {
    jsonrpc: "2.0",
    ...(id === undefined ? {} : { id }),
    error: { code, message, ...(data === undefined ? {} : { data }) },
  };
}

/** Makes a whole answer of such an error. */
export function errorResponse(status: number, code: number, message: string, id?: RequestId, data?: unknown): Response {
  return jsonResponse(rpcError(code, message, id, data), status);
}

/** Codes of JSON-RPC and MCP, and the one for implementations. */
export const RPC = {
  parse: -32_700,
  invalidRequest: -32_600,
  methodNotFound: -32_601,
  internal: -32_603,
  server: -32_000,
  noSession: -32_001,
  headerMismatch: -32_020,
  unsupportedVersion: -32_022,
} as const;
