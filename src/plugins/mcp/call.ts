import type { Auth, ClientDoor } from "../../auth/auth.ts";
import { type Caller, DEFAULT_TENANT } from "../../auth/caller.ts";
import { declaredLength } from "../../http/body.ts";
import type { Visit } from "../../http/visit.ts";
import type { Deps } from "../../system/deps.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import type { HeaderPairs } from "../../wire/heads.ts";
import type { McpCaller } from "../../wire/mcp-call.ts";
import { MAX_TEXT_CHARS } from "../../wire/names.ts";
import type { PeerOrder } from "../../wire/peer-heads.ts";
import type { Body } from "../../wire/pump.ts";
import { toRelayHeaders } from "./headers.ts";
import type { McpArea } from "./mcp-area.ts";
import type { PublicNames } from "./public-names.ts";
import { RELAY_KIND } from "./remote-relays.ts";
import type { RpcFacts } from "./rpc-facts.ts";
import type { McpConfig } from "./settings.ts";

/** The parts that serve the plugin's requests. */
export interface McpPorts {
  readonly area: McpArea;
  readonly auth: ClientDoor & Pick<Auth, "addressOf" | "connectors">;
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

/** A call that has been read, on its way to its relay. */
export interface ReadCall {
  readonly path: string;
  readonly body: Body;
  readonly facts: RpcFacts;
  /** The URL that a client's OAuth token is for; undefined if the MCP server certainly takes none. */
  readonly resource: string | undefined;
  readonly identity: KnownCaller;
}

/** What is known of the caller when a call is written for its relay. */
export interface KnownCaller {
  /** The caller whom this server has let in; undefined at a relay that checks its callers itself. */
  readonly as: McpCaller | undefined;
  /** Whether the bearer token is for this server alone, so that the relay must not see it. */
  readonly isBearerOurs: boolean;
}

/** Returns a request for a relay as it is sent to the server that has the relay. */
export function toPeerRequest(
  { head, body }: ExchangeRequest,
  relayId: string,
  { requestId, caller, facts }: { readonly requestId: string; readonly caller: Caller; readonly facts: RpcFacts },
): ExchangeRequest {
  const name = facts.functionName?.slice(0, MAX_TEXT_CHARS);
  const peer: PeerOrder = {
    plugin: "mcp",
    model: "",
    exact: false,
    worker: relayId,
    request_id: requestId,
    caller: caller.name,
    ...(caller.tenant === DEFAULT_TENANT ? {} : { tenant: caller.tenant }),
    call: { method: facts.label, ...(name === undefined ? {} : { name }), listens: facts.isStream },
  };
  return { head: { ...head, kind: RELAY_KIND, peer }, body };
}

/** Returns the request for the relay. */
export function toExchangeRequest(
  { config, names }: McpPorts,
  { visit }: McpCall,
  { path, body, facts, resource, identity: { as, isBearerOurs } }: ReadCall,
): ExchangeRequest {
  const { request, requestId } = visit;
  const length = body instanceof Uint8Array ? body.length : declaredLength(request.headers);
  const own: HeaderPairs = [
    ["x-request-id", requestId],
    // Without it a large body would reach the MCP server in chunks, which some servers refuse.
    ...(length ? [["content-length", String(length)] as const] : []),
    ...names.forwardedHeaders(visit),
  ];
  return {
    head: {
      method: request.method,
      path,
      headers: toRelayHeaders(request.headers, own, { beginsSession: facts.label === "initialize", isBearerOurs }),
      timeout_ms: config.mcpRequestTimeoutMs,
      ...(resource === undefined ? {} : { resource }),
      ...(as === undefined ? {} : { caller: as }),
    },
    body,
  };
}
