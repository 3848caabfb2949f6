import {
  isJSONRPCErrorResponse,
  type JSONRPCRequest,
  type JSONRPCResponse,
  LATEST_PROTOCOL_VERSION,
  SUPPORTED_PROTOCOL_VERSIONS,
} from "@modelcontextprotocol/server";
import { VERSION } from "../../../system/version.ts";

/** The id of the one `initialize`; those of clients' requests are numbers above it. */
export const OPENING_ID = 0;

/**
 * The `initialize` that a shared process gets, on behalf of no client: it promises the server nothing that only one
 * client could do, such as sampling.
 */
export const OPENING: JSONRPCRequest = {
  jsonrpc: "2.0",
  id: OPENING_ID,
  method: "initialize",
  params: {
    protocolVersion: LATEST_PROTOCOL_VERSION,
    capabilities: {},
    clientInfo: { name: "moorage", version: VERSION },
  },
};

/** Answers a client's `initialize` with what the server answered to the first one. */
export function toOpening(answer: JSONRPCResponse, { id, params }: JSONRPCRequest): JSONRPCResponse {
  if (isJSONRPCErrorResponse(answer)) return { ...answer, id };
  const protocolVersion = agreedVersion(answer.result["protocolVersion"], params?.["protocolVersion"]);
  return { ...answer, id, result: { ...answer.result, protocolVersion } };
}

/** Older revisions with sessions are subsets of newer ones, so a client gets the one that it asks for. */
function agreedVersion(servers: unknown, clients: unknown): unknown {
  if (typeof servers !== "string" || typeof clients !== "string") return servers;
  return SUPPORTED_PROTOCOL_VERSIONS.includes(clients) && clients < servers ? clients : servers;
}
