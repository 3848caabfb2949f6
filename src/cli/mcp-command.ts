import type { AdminCommand } from "./admin-command.ts";
import { CALLS } from "./mcp-calls.ts";

/** `moorage mcp`. */
export const MCP: AdminCommand = {
  name: "mcp",
  about: "shows what clients call through MCP relays.",
  actions: { calls: CALLS },
};
