import type { HeaderPairs } from "../../wire/heads.ts";
import { Expansion } from "./expansion.ts";
import type { Access, FileSources, McpServersReading, McpSource, McpTransport, ToolSearch } from "./mcp-server.ts";
import type { OneUrlGiven } from "./one-url.ts";
import { readOwnerHeaders } from "./owner-headers.ts";
import { readServersFile } from "./servers-file.ts";

/** The settings about MCP servers; `WorkerSettings` explains them. */
interface Given {
  readonly name: string;
  readonly id: string | undefined;
  readonly mcpUrl: string | undefined;
  readonly mcpCommand: string | undefined;
  readonly mcpTransport: McpTransport;
  readonly mcpHeaders: readonly (readonly [string, string])[];
  readonly mcpServers: string | undefined;
  readonly mcpOneUrl: string | undefined;
  readonly mcpOneUrlOnly: "true" | "false";
  readonly mcpToolSearch: ToolSearch;
  readonly mcpAccess: "none" | "token" | "oauth" | "connector" | undefined;
  /** The older name of `mcpAccess` oauth. */
  readonly mcpOauth: "true" | "false";
  readonly mcpAuditArguments: "true" | "false";
  readonly mcpShared: "true" | "false" | "serial";
  readonly authToken: string | undefined;
}

/** Returns the MCP servers that the settings name: those of a file, or one by its URL or command. */
export function readMcpServers(given: Given, sources: FileSources): McpServersReading {
  const faults = conflictsIn(given);
  if (faults.length > 0) return { servers: [], faults };
  if (given.mcpServers !== undefined) return readServersFile(given.mcpServers, sources, oneUrlOf(given));
  const { name, id } = given;
  const access = accessOf(given);
  const expansion = new Expansion(sources.env);
  const headers = readOwnerHeaders(given.mcpHeaders, expansion, access.kind === "oauth");
  const wrong = [...expansion.faults, ...headers.faults].map((each) => `mcp_headers: ${each}`);
  if (wrong.length > 0) return { servers: [], faults: wrong };
  const audit = given.mcpAuditArguments === "true" ? { auditArguments: true } : {};
  return { servers: [{ name, id, source: sourceOf(given, headers.pairs), access, ...audit }], faults: [] };
}

/** Returns the one URL for all servers of a file, whose callers the settings describe. */
function oneUrlOf(given: Given): OneUrlGiven | undefined {
  const { mcpOneUrl, mcpOneUrlOnly, mcpToolSearch, mcpAuditArguments } = given;
  if (mcpOneUrl === undefined) return undefined;
  return {
    id: mcpOneUrl,
    isOnly: mcpOneUrlOnly === "true",
    toolSearch: mcpToolSearch,
    access: accessOf(given),
    auditArguments: mcpAuditArguments === "true",
  };
}

function accessOf({ mcpAccess, mcpOauth, authToken }: Given): Access {
  // The token and the kind of access agree: see `conflictsIn`.
  if (authToken !== undefined) return { kind: "token", token: authToken };
  return { kind: kindGiven({ mcpAccess, mcpOauth }) ?? "none" };
}

/** Returns the kind of access by either setting, without `token`, which comes with a token. */
function kindGiven({ mcpAccess, mcpOauth }: Pick<Given, "mcpAccess" | "mcpOauth">) {
  if (mcpAccess !== undefined) return mcpAccess === "token" ? undefined : mcpAccess;
  return mcpOauth === "true" ? "oauth" : undefined;
}

const SHARINGS = { false: "none", true: "parallel", serial: "serial" } as const;

function sourceOf({ mcpUrl, mcpCommand, mcpTransport, mcpShared }: Given, headers: HeaderPairs): McpSource {
  if (mcpUrl !== undefined) return { kind: "url", url: mcpUrl, transport: mcpTransport, headers };
  const none = { args: undefined, env: {}, withheld: [], directory: undefined };
  return { kind: "command", command: mcpCommand ?? "", ...none, sharing: SHARINGS[mcpShared] };
}

function conflictsIn(given: Given): string[] {
  const { mcpUrl, mcpCommand, mcpServers, mcpHeaders, mcpAccess, mcpOauth, mcpShared, authToken, id } = given;
  const named = [
    ["url", mcpUrl],
    ["stdio", mcpCommand],
    ["servers", mcpServers],
  ].flatMap(([flag, value]) => (value === undefined ? [] : [flag]));
  if (named.length === 0) {
    return [
      "url: the kind mcp needs an MCP server: --url names one that speaks HTTP, --stdio a command for one that does not, --servers a file with several",
    ];
  }
  if (named.length > 1) return [`${named[0]}: this and ${named[1]} both name MCP servers; give only one of them`];
  if (mcpServers !== undefined && id !== undefined)
    return ["id: the servers of a file have ids of their own, in the file"];
  const isOauth = kindGiven(given) === "oauth";
  if (given.mcpOneUrl === undefined) {
    if (given.mcpOneUrlOnly === "true" || given.mcpToolSearch !== "false")
      return [
        "one_url: only one URL for several servers has one_url_only and tool_search; give it an id, in the file or here",
      ];
  } else if (mcpServers === undefined) return ["one_url: it is for the servers of a file; give that with --servers"];
  else if (isOauth) return ["one_url: callers sign in with one MCP server, so it cannot use oauth"];
  const isOfFile = mcpServers !== undefined && given.mcpOneUrl === undefined;
  if (isOfFile && (authToken !== undefined || mcpAccess !== undefined || mcpOauth === "true")) {
    return [
      "servers: the file itself says who may call its servers, with access, auth_token, auth_token_env, oauth or callers",
    ];
  }
  if (mcpOauth === "true" && mcpAccess !== undefined && mcpAccess !== "oauth")
    return [`access: MCP_OAUTH=true is the older form of oauth, and not of ${mcpAccess}; give only one of them`];
  if (isOauth && authToken !== undefined) {
    return ["oauth: with it callers sign in with the MCP server, so there can be no auth_token"];
  }
  if (authToken !== undefined && (mcpAccess === "none" || mcpAccess === "connector"))
    return [`access: with ${mcpAccess} the relay checks no token, so there can be no auth_token`];
  if (mcpAccess === "token" && authToken === undefined)
    return ["access: the token that callers must send is missing; set it with AUTH_TOKEN"];
  if (isOauth && mcpUrl === undefined) return ["oauth: only an MCP server that speaks HTTP can use it; give its url"];
  if (mcpHeaders.length > 0 && mcpUrl === undefined)
    return ["mcp_headers: only an MCP server with a --url gets headers; a file has headers for each of its servers"];
  if (isOfFile && given.mcpAuditArguments === "true")
    return ["audit_arguments: the file itself says so, with audit_arguments: true"];
  if (mcpServers !== undefined && mcpShared !== "false") return ["shared: the file itself says so, with shared: true"];
  if (mcpShared !== "false" && mcpCommand === undefined)
    return ["shared: only an MCP server that speaks stdio has processes to share; give its command with --stdio"];
  return [];
}
