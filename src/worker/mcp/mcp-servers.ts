import type { WorkerSettings } from "../args.ts";
import { readServersFile } from "./servers-file.ts";

export type McpTransport = "auto" | "http" | "sse";

/** Where an MCP server is, or how it is started. */
export type McpSource =
  | { readonly kind: "url"; readonly url: string; readonly transport: McpTransport }
  | {
      readonly kind: "command";
      readonly command: string;
      /** Without them the command is a line for the shell. */
      readonly args: readonly string[] | undefined;
      /** What is added to the worker's own environment. */
      readonly env: Readonly<Record<string, string>>;
      /** Undefined: where the worker was started. */
      readonly directory: string | undefined;
    };

/** One MCP server to serve, with who may call it. */
export interface McpServer {
  /** What people see in the server's state. */
  readonly name: string;
  /** The relay's id in its public URL; undefined: the server makes one. */
  readonly id: string | undefined;
  readonly source: McpSource;
  readonly access: Access;
}

/** `oauth`: callers sign in with the MCP server itself. */
export type Access = { readonly kind: "none" | "oauth" } | { readonly kind: "token"; readonly token: string };

export interface McpServersReading {
  readonly servers: readonly McpServer[];
  /** Each names its key. */
  readonly faults: readonly string[];
}

type Given = Pick<
  WorkerSettings,
  "name" | "id" | "mcpUrl" | "mcpCommand" | "mcpTransport" | "mcpServers" | "mcpOauth" | "authToken"
>;

export interface FileSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** The MCP servers that the settings name: those of a file, or one by its URL or command. */
export function readMcpServers(given: Given, sources: FileSources): McpServersReading {
  const faults = conflictsIn(given);
  if (faults.length > 0) return { servers: [], faults };
  if (given.mcpServers !== undefined) return readServersFile(given.mcpServers, sources);
  const { name, id, authToken } = given;
  const access: Access =
    given.mcpOauth === "true"
      ? { kind: "oauth" }
      : authToken === undefined
        ? { kind: "none" }
        : { kind: "token", token: authToken };
  return { servers: [{ name, id, source: sourceOf(given), access }], faults: [] };
}

function sourceOf({ mcpUrl, mcpCommand, mcpTransport }: Given): McpSource {
  if (mcpUrl !== undefined) return { kind: "url", url: mcpUrl, transport: mcpTransport };
  return { kind: "command", command: mcpCommand ?? "", args: undefined, env: {}, directory: undefined };
}

function conflictsIn({ mcpUrl, mcpCommand, mcpServers, mcpOauth, authToken, id }: Given): string[] {
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
  if (named.length > 1) return [`${named[0]}: it and ${named[1]} both name MCP servers; give one of them`];
  if (mcpServers !== undefined && id !== undefined)
    return ["id: the servers of a file have ids of their own, in the file"];
  if (mcpServers !== undefined && (authToken !== undefined || mcpOauth === "true")) {
    return ["servers: who may call the servers of a file stands in the file: auth_token, auth_token_env or oauth"];
  }
  if (mcpOauth === "true" && authToken !== undefined) {
    return ["oauth: with it callers sign in with the MCP server, so there can be no auth_token"];
  }
  if (mcpOauth === "true" && mcpUrl === undefined)
    return ["oauth: only an MCP server that speaks HTTP can ask for it; give its url"];
  return [];
}
