import type { Plugin, PluginContext } from "../../plugin/contract.ts";
import { legacyMessageBytes } from "./legacy-relay.ts";
import { McpArea } from "./mcp-area.ts";
import { findMcpProblems, toMcpPulse } from "./mcp-pulse.ts";
import { createPublicNames } from "./public-names.ts";
import { mcpRoutes } from "./routes.ts";
import { renderMcpView } from "./view.tsx";

/** MCP servers behind relays that dial in, as if they were here. */
export function createMcpPlugin(context: PluginContext): Plugin {
  const { auth, config, deps, listener } = context;
  const area = new McpArea(context);
  return {
    id: "mcp",
    routes: mcpRoutes({ area, auth, config, deps, listener, names: createPublicNames(config) }, context),
    maxMessageBytes: legacyMessageBytes(config.mcpMaxAnswerBytes),
    state: () => area.state(),
    revision: () => area.revision,
    pulse: () => toMcpPulse(area, context.metrics),
    problems: () => findMcpProblems(area, config.pingIntervalMs, deps.clock.elapsed()),
    view: renderMcpView,
    operator: area.relays,
    drain: () => area.drain(),
    close: () => area.close(),
  };
}
