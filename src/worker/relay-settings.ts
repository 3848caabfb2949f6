import { duration, integer, line, parsed, path, secretKey, word } from "../settings/kinds.ts";
import { setting, unset } from "../settings/setting.ts";
import { ID_FORM, isId } from "../wire/names.ts";
import { parseBackendUrl } from "./server-url.ts";
import { headerLines } from "./setting-kinds.ts";

/** The settings of the worker program about MCP servers and their callers, in the order of the reference. */
export const relaySettings = {
  mcpUrl: unset(
    {
      schema: parsed(parseBackendUrl),
      placeholder: "url",
      accepts: "an http or https URL without user name, password and query",
      hint: "such as http://127.0.0.1:7777/mcp",
    },
    {
      variable: "MCP_URL",
      platformVariable: "PROVIDER_URL",
      flag: "url",
      absent: undefined,
      says: "the value of PROVIDER_URL, if that is set",
      help: "The MCP server, for the kind mcp.",
    },
  ),
  mcpTransport: setting(word(["auto", "http", "sse"]), {
    variable: "MCP_TRANSPORT",
    flag: "transport",
    default: "auto",
    help: "Transport of the MCP server at that URL: Streamable HTTP, or the older HTTP with SSE.",
  }),
  mcpHeaders: unset(headerLines, {
    variable: "MCP_HEADERS",
    flag: "header",
    absent: [],
    isSecret: true,
    says: "none",
    help: `Headers that the MCP server at that URL gets with every request, its key for example. \${NAME} stands for a variable of the environment.`,
  }),
  mcpCommand: unset(
    { ...line(4096), placeholder: "command" },
    {
      variable: "MCP_COMMAND",
      flag: "stdio",
      absent: undefined,
      help: "Command that starts an MCP server on stdio, for the kind mcp; one process per session unless MCP_SHARED is set.",
    },
  ),
  mcpServers: unset(path, {
    variable: "MCP_SERVERS",
    flag: "servers",
    absent: undefined,
    help: "YAML, JSON or TOML file with several MCP servers, for the kind mcp; each gets its own relay.",
  }),
  mcpOneUrl: unset(
    { schema: parsed((text) => (isId(text) ? text : undefined)), placeholder: "id", accepts: ID_FORM },
    {
      variable: "MCP_ONE_URL",
      flag: "one-url",
      absent: undefined,
      help: "Id of one more relay that serves all servers of that file behind one URL. MCP_ACCESS and AUTH_TOKEN are then for its callers.",
    },
  ),
  mcpOneUrlOnly: setting(word(["true", "false"]), {
    variable: "MCP_ONE_URL_ONLY",
    flag: "one-url-only",
    default: "false",
    help: "Whether the servers behind MCP_ONE_URL have no relays of their own.",
  }),
  mcpToolSearch: setting(word(["true", "false", "auto"]), {
    variable: "MCP_TOOL_SEARCH",
    flag: "tool-search",
    default: "false",
    help: "Whether clients of MCP_ONE_URL get a tool that finds tools, and one that calls them, instead of a list of all; auto: if there are more than 100.",
  }),
  mcpAccess: unset(word(["none", "token", "oauth", "connector"]), {
    variable: "MCP_ACCESS",
    flag: "access",
    absent: undefined,
    says: "not set; token if AUTH_TOKEN is set, oauth if MCP_OAUTH is true, else none",
    help: "Who may call the MCP server: none: anyone who knows the URL; token: who sends AUTH_TOKEN; oauth: who signs in to the MCP server itself; connector: who signs in to the Moorage server, or has a client's key of it.",
  }),
  mcpOauth: setting(word(["true", "false"]), {
    variable: "MCP_OAUTH",
    flag: "oauth",
    default: "false",
    help: "Whether callers authenticate with the MCP server itself by OAuth, which then receives their bearer tokens.",
  }),
  mcpAuditArguments: setting(word(["true", "false"]), {
    variable: "MCP_AUDIT_ARGUMENTS",
    flag: "audit-arguments",
    default: "false",
    help: "Whether the server records the arguments of calls, which may be private, and not only the names of tools.",
  }),
  mcpShared: setting(word(["true", "false", "serial"]), {
    variable: "MCP_SHARED",
    flag: "shared",
    default: "false",
    help: "Whether one process of MCP_COMMAND serves all clients, for programs that can run only once; serial: with one tool call at a time.",
  }),
  mcpMaxSessions: setting(integer(1, 10_000), {
    variable: "MCP_MAX_SESSIONS",
    flag: "max-sessions",
    default: "32",
    help: "Sessions that may be open at one MCP server behind a relay, if it speaks stdio or HTTP with SSE; each has its own process or connection. A further client gets 503.",
  }),
  mcpSessionIdleMs: setting(duration("10s", "24h"), {
    variable: "MCP_SESSION_IDLE",
    flag: "session-idle",
    default: "5m",
    help: "Time for which such a session may be unused before it ends; at most 1m if its client seems to have left.",
  }),
  authToken: unset(secretKey, {
    variable: "AUTH_TOKEN",
    absent: undefined,
    isSecret: true,
    says: "not set; anyone who knows the URL may then call",
    help: "Bearer token that callers of the MCP server must send.",
  }),
};
