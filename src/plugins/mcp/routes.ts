import type { AnyElysia } from "elysia";
import { Fault } from "../../errors.ts";
import { REFUSAL } from "../../http/route-methods.ts";
import type { PluginContext } from "../../plugin/contract.ts";
import { createRoutes, type RouteContext } from "../../plugin/route-context.ts";
import { workerRoutes } from "../../plugin/worker-routes.ts";
import { toLegacyId } from "../../tunnel/legacy-id.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import type { McpPorts } from "./call.ts";
import { callDetail, METADATA_DETAIL } from "./openapi.ts";
import { rpcError } from "./rpc-error.ts";
import { serveMcp } from "./serve.ts";
import { serveMetadata } from "./serve-metadata.ts";

/** A relay's public URL. */
const BASE = "/api/mcp/id/:relay_id";
/** That URL, and everything below it. */
const PATHS = [BASE, `${BASE}/*`];

/**
 * Creates the plugin's routes: where relays connect, and what MCP clients call. They need no key: the bearer is for the
 * relay.
 */
export function mcpRoutes(ports: McpPorts, context: PluginContext): AnyElysia {
  const serve = ({ visit, params }: RouteContext): Promise<Response> =>
    serveMcp(ports, { visit, relayId: relayIdOf(params), rest: params?.["*"] ?? "" });
  const describe = ({ visit, params }: RouteContext, alias: "" | "/mcp"): Promise<Response> =>
    serveMetadata(ports, { visit, relayId: relayIdOf(params), alias });
  const routes = createRoutes().use(workerRoutes("mcp", ports.area, context));
  for (const path of PATHS) {
    routes
      .post(path, ({ visit, params }) => serve({ visit, params }), {
        parse: "none",
        detail: callDetail("post", path === BASE ? "" : "/mcp"),
      })
      .get(path, ({ visit, params }) => serve({ visit, params }), {
        detail: callDetail("get", path === BASE ? "" : "/mcp"),
      })
      .delete(path, ({ visit, params }) => serve({ visit, params }), {
        parse: "none",
        detail: callDetail("delete", path === BASE ? "" : "/mcp"),
      })
      // MCP has no HEAD. The route for GET would open a stream that nobody reads.
      .head(path, ({ visit }) => notAllowed(visit.requestId), { detail: REFUSAL })
      .all(path, ({ visit }) => notAllowed(visit.requestId), { parse: "none", detail: REFUSAL });
  }
  return routes
    .get(`${METADATA_PATH}${BASE}`, ({ visit, params }) => describe({ visit, params }, ""), {
      detail: METADATA_DETAIL,
    })
    .get(`${METADATA_PATH}${BASE}/mcp`, ({ visit, params }) => describe({ visit, params }, "/mcp"), { detail: HIDDEN });
}

/** The id of the relay. A client may use the id that a legacy agent chose, before it was mapped. */
function relayIdOf(params: RouteContext["params"]): string {
  return toLegacyId(params?.["relay_id"] ?? "");
}

const HIDDEN = { hide: true };

/** Answers 405, the only one that this server sends under a relay's URL: no MCP client sends such a method. */
function notAllowed(requestId: string): Response {
  const fault = new Fault("method_not_allowed", { headers: { allow: "GET, POST, DELETE, OPTIONS" } });
  return rpcError(fault, requestId, undefined);
}
