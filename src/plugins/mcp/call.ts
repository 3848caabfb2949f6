import type { ClientDoor } from "../../auth/auth.ts";
import type { Visit } from "../../http/visit.ts";
import type { Deps } from "../../system/deps.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import type { Body } from "../../wire/pump.ts";
import { toRelayHeaders } from "./headers.ts";
import type { McpArea } from "./mcp-area.ts";
import type { PublicNames } from "./public-names.ts";
import type { McpConfig } from "./settings.ts";

/** The parts that serve the plugin's requests. */
export interface McpPorts {
  readonly area: McpArea;
  readonly auth: ClientDoor;
  readonly config: McpConfig;
  readonly deps: Deps;
  readonly names: PublicNames;
}

/** One request of a client. The server asks for no key: the relay decides who may call. */
export interface McpCall {
  readonly visit: Visit;
  readonly relayId: string;
  /** The path below the relay's URL as the client sent it, without the query. */
  readonly rest: string;
}

/** Returns the request for the relay. `resource` is the URL that a client's OAuth token is for, if its MCP server takes those. */
export function toExchangeRequest(
  { config }: McpPorts,
  { visit: { request, requestId } }: McpCall,
  path: string,
  body: Body,
  resource: string | undefined,
): ExchangeRequest {
  return {
    head: {
      method: request.method,
      path,
      headers: toRelayHeaders(request.headers, requestId),
      timeout_ms: config.requestTimeoutMs,
      ...(resource === undefined ? {} : { resource }),
    },
    body,
  };
}
