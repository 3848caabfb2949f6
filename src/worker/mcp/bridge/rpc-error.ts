import type { JSONRPCErrorResponse, RequestId } from "@modelcontextprotocol/server";

/** An error message of the bridge's own. Without an id where none is known: `null` is no id in the newer revisions. */
export function rpcError(code: number, message: string, id?: RequestId, data?: unknown): JSONRPCErrorResponse {
  return {
    jsonrpc: "2.0",
    ...(id === undefined ? {} : { id }),
    error: { code, message, ...(data === undefined ? {} : { data }) },
  };
}

/** The same as a whole answer. */
export function errorResponse(status: number, code: number, message: string, id?: RequestId, data?: unknown): Response {
  return Response.json(rpcError(code, message, id, data), { status });
}

/** JSON-RPC's own codes, and the one that MCP leaves to implementations. */
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
