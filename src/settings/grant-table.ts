import { duration, word } from "./kinds.ts";
import { setting, type Table } from "./setting.ts";

/** How programs get access to MCP servers in the name of people: for relays with `--access connector`. */
export const grantTable = {
  mcpTokenLifeMs: setting(duration("1m", "24h"), {
    variable: "MCP_TOKEN_LIFE",
    default: "1h",
    help: "Time for which an access token is valid that a program gets for an MCP server. The program then refreshes it by itself.",
  }),
  mcpGrantIdleMs: setting(duration("1h", "3650d"), {
    variable: "MCP_GRANT_IDLE",
    default: "30d",
    help: "Time after which a program that has not refreshed its token has to be let in again.",
  }),
  mcpClientDocuments: setting(word(["true", "false"]), {
    variable: "MCP_CLIENT_DOCUMENTS",
    default: "true",
    help: "Whether programs may describe themselves by a document at an https URL, which this server then fetches. It connects only to public addresses. Programs can register themselves without it.",
  }),
} as const satisfies Table;
