import { definePlugin } from "../../plugin/definition.ts";
import { catalogRoutes } from "./catalog/catalog-routes.ts";
import { legacyMessageBytes } from "./legacy-relay.ts";
import { McpArea } from "./mcp-area.ts";
import { findMcpProblems, toMcpPulse } from "./mcp-pulse.ts";
import { MCP } from "./openapi.ts";
import { createPeerCalls } from "./peer-calls.ts";
import { createPublicNames } from "./public-names.ts";
import { RELAY_KIND } from "./remote-relays.ts";
import { mcpRoutes } from "./routes.ts";
import { mcpSettings } from "./settings.ts";
import { MCP_SECTION } from "./view.tsx";

/** MCP servers behind relays that dial in, reached as if they ran on this server. */
export const mcpPlugin = definePlugin({
  id: "mcp",
  settings: mcpSettings,
  create(context) {
    const { auth, cluster, config, deps, metrics } = context;
    const area = new McpArea(context);
    cluster?.exchanges.serve(RELAY_KIND, createPeerCalls(area, deps.clock));
    const ports = { area, auth, config, deps, names: createPublicNames(config) };
    return {
      routes: mcpRoutes(ports, context).use(
        catalogRoutes({ ports, auth, readings: context.readings, keyHolders: context.keyHolders }),
      ),
      tags: [MCP],
      maxMessageBytes: legacyMessageBytes(config.mcpMaxAnswerBytes),
      section: MCP_SECTION,
      reports: {
        state: () => area.state(),
        get revision() {
          return area.revision;
        },
        pulse: () => toMcpPulse(area, metrics),
        problems: () => findMcpProblems(area, config.pingIntervalMs),
      },
      // Calls are HTTP requests that end with their clients, so there are no jobs to cancel.
      connectors: area.connectors,
      workers: area.workers,
      lifecycle: area,
    };
  },
});
