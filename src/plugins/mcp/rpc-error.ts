import type { ErrorCode, Fault } from "../../errors.ts";
import { errorHeaders } from "../../http/error-response.ts";

/** The predecessor's names of failures, which its users' programs look for. */
const NAMES: Partial<Record<ErrorCode, string>> = {
  invalid_api_key: "MCP_UNAUTHORIZED",
  key_expired: "MCP_UNAUTHORIZED",
  key_revoked: "MCP_UNAUTHORIZED",
  key_rotated: "MCP_UNAUTHORIZED",
  relay_unavailable: "MCP_PROVIDER_UNAVAILABLE",
  draining: "MCP_PROVIDER_UNAVAILABLE",
  upstream_timeout: "MCP_TIMEOUT",
  request_timeout: "MCP_TIMEOUT",
  too_many_calls: "MCP_LIMIT_EXCEEDED",
  request_too_large: "MCP_LIMIT_EXCEEDED",
  response_too_large: "MCP_LIMIT_EXCEEDED",
};

/** A JSON-RPC code for a server's own errors. MCP's specification assigns those from -32020 on. */
export const SERVER_ERROR = -32_000;

/** Returns the member `error` of a JSON-RPC response for a fault of this server. */
export function errorObject(fault: Fault, requestId: string): object {
  return {
    code: SERVER_ERROR,
    message: fault.message,
    data: { mcp: NAMES[fault.code] ?? "MCP_UPSTREAM_ERROR", code: fault.code, req_id: requestId },
  };
}

/**
 * Turns a fault of this server into a response for MCP clients. Its status is never 400, 404 or 405, which a client would
 * take for a statement of the MCP server. `id` is the request's, as it was written; it is left out if unknown.
 */
export function rpcError(fault: Fault, requestId: string, id: string | undefined): Response {
  const error = errorObject(fault, requestId);
  // The id is inserted as it was written: a number may be larger than JavaScript can represent.
  const body = `{"jsonrpc":"2.0",${id === undefined ? "" : `"id":${id},`}"error":${JSON.stringify(error)}}`;
  return new Response(body, { status: fault.status, headers: errorHeaders(fault, requestId) });
}
