import type { AdminCommand } from "./admin-command.ts";
import { CALLS } from "./mcp-calls.ts";
import { GRANTS, REVOKE } from "./mcp-grants.ts";

/** `moorage mcp`. */
export const MCP: AdminCommand = {
  name: "mcp",
  about: "shows what clients call through MCP relays, and ends the access of programs.",
  actions: { calls: CALLS, grants: GRANTS, revoke: REVOKE },
};
