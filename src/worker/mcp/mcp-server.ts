import type { HeaderPairs } from "../../wire/heads.ts";
import type { McpRules } from "../../wire/mcp-call.ts";

export type McpTransport = "auto" | "http" | "sse";

/**
 * Whether one process of a command serves the sessions of all clients, and if so, whether it gets one tool call at a
 * time.
 */
export type Sharing = "none" | "parallel" | "serial";

/** The address of an MCP server, or the way to start it. */
export type McpSource =
  | {
      readonly kind: "url";
      readonly url: string;
      readonly transport: McpTransport;
      /** Headers of the owner's own that every request to the server gets: its API key, for example. */
      readonly headers: HeaderPairs;
    }
  | {
      readonly kind: "command";
      readonly command: string;
      /** The program's arguments; undefined: `command` is a line for the shell. */
      readonly args: readonly string[] | undefined;
      /** Variables added to the worker's own environment. */
      readonly env: Readonly<Record<string, string>>;
      /** Names of variables of the worker's environment that the program must not get; see `secretVariables`. */
      readonly withheld: readonly string[];
      /** The working directory; undefined: the worker's own. */
      readonly directory: string | undefined;
      readonly sharing: Sharing;
    }
  /** All servers of a file behind one URL. */
  | ({ readonly kind: "hub"; readonly servers: readonly McpServer[] } & HubSettings);

/** How one URL serves all servers of a file. */
export interface HubSettings {
  /** Whether the servers have no relays of their own. */
  readonly isOnly: boolean;
  /** Whether clients get a tool that finds tools instead of a long list; `auto`: if there are more than 100. */
  readonly toolSearch: ToolSearch;
}

export type ToolSearch = "true" | "false" | "auto";

/** One MCP server to serve, and who may call it. */
export interface McpServer {
  /** The name shown on the server's dashboard. */
  readonly name: string;
  /** Its key in the servers file, which no other server of the file has; absent if that is its name. */
  readonly key?: string;
  /** The relay's id in its public URL; undefined: the server makes one. */
  readonly id: string | undefined;
  /** Whether the worker made the id, which then says nothing to people. Absent: no. */
  readonly isIdMade?: boolean;
  readonly source: McpSource;
  readonly access: Access;
  /** What all callers may use; each of these restricts. Absent: everything. */
  readonly rules?: readonly McpRules[];
  /** Whether the server is told the arguments of calls, for its records. Absent: no. */
  readonly auditArguments?: boolean;
  /** Fields of its entry in a servers file that have no effect; none for a server that is not from a file. */
  readonly unused?: { readonly ignored: readonly string[] };
}

/**
 * Who may call. With `oauth` callers sign in to the MCP server itself. With `connector` they sign in to the Moorage server, or send a
 * client's key of it, and that server lets nobody else through.
 */
export type Access =
  | { readonly kind: "none" | "oauth" | "connector" }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "callers"; readonly callers: readonly FileCaller[] };

/** A caller of the relay's own list, with a token of its own. */
export interface FileCaller {
  readonly name: string;
  readonly token: string;
  readonly rules: McpRules;
  /** The most calls that run at once; undefined: no limit. */
  readonly parallel: number | undefined;
  readonly requestsPerMinute: number | undefined;
}

export interface McpServersReading {
  readonly servers: readonly McpServer[];
  /** The faults found. Each names its key. */
  readonly faults: readonly string[];
}

export interface FileSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Returns the text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}
