import { renderMcpView } from "../../../views/mcp.tsx";
import type { Plugin, PluginContext } from "../../plugin.ts";
import { McpArea } from "./mcp-area.ts";
import { mcpRoutes } from "./routes.ts";

/** MCP servers behind relays that dial in, as if they were here. */
export function createMcpPlugin(context: PluginContext): Plugin {
  const { config, deps, listener } = context;
  const area = new McpArea(context);
  return {
    id: "mcp",
    routes: mcpRoutes({ area, config, deps, listener }, context),
    state: () => area.state(),
    revision: () => area.revision,
    view: () => renderMcpView(area.state()),
    drain: () => area.drain(),
    close: () => area.close(),
  };
}
