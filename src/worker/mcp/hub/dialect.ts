import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from "@modelcontextprotocol/server";

/** How a hub speaks with one MCP server on behalf of one session. */
export interface Dialect {
  /** The request with which a connection begins; undefined if the server needs none. */
  readonly opening: JSONRPCRequest | undefined;
  toMember(request: JSONRPCRequest): JSONRPCRequest;
  /** `method` is that of the request to which the message belongs. */
  toClient<M extends JSONRPCNotification | JSONRPCResponse>(method: string, message: M): M;
}

/** The dialect of a server that speaks as its client does. */
export function sameDialect(opening: JSONRPCRequest | undefined): Dialect {
  return { opening, toMember: (request) => request, toClient: (_method, message) => message };
}
