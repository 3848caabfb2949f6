import type { Positional } from "../settings/flags.ts";
import { orList } from "../settings/kinds.ts";
import { nearest } from "../settings/nearest.ts";
import { deepFreeze, type Loaded, readSettings, type Sources } from "../settings/read-settings.ts";
import { launcherWords } from "../system/launcher.ts";
import type { LogFormat, LogLevel } from "../system/log.ts";
import { homeOf, identityPath, withEmptyStateFile } from "./identity-path.ts";
import type { McpServer, McpTransport, ToolSearch } from "./mcp/mcp-server.ts";
import { readMcpServers } from "./mcp/mcp-servers.ts";
import { NFRX_AGENTS } from "./nfrx-agents.ts";
import type { Rename } from "./offered-models.ts";
import { withProxyVariables } from "./outgoing-proxy.ts";
import { workerText } from "./worker-help.ts";
import { workerTable } from "./worker-table.ts";

/** The worker program's settings, validated and deeply frozen. `docs/configuration.md` explains each key. */
export interface WorkerSettings {
  /** The kinds of job to serve, in the order given; at least one. */
  readonly kinds: readonly string[];
  /** The MCP servers to serve, from the servers file or from the settings below; empty without the kind `mcp`. */
  readonly relays: readonly McpServer[];
  /** Base URL without a trailing slash; see `connectUrl` and `httpUrl`. */
  readonly server: string;
  /** The key and, while it is being replaced, the previous one; empty where the server requires none. */
  readonly clientKeys: readonly string[];
  /** Traded for a key of the worker's own; undefined for a worker that has one, or needs none. */
  readonly joinToken: string | undefined;
  /** Where that key, or the id of a worker without one, is kept; undefined for a worker that keeps neither. */
  readonly stateFile: string | undefined;
  /** Whether the operator named that file. If not, other workers of this machine use files beside it. */
  readonly isStateFileNamed: boolean;
  readonly name: string;
  /** Undefined: the server makes one, which the worker keeps. */
  readonly id: string | undefined;
  /** Base URL without a trailing slash. Undefined: the worker looks for a model server on this machine. */
  readonly backend: string | undefined;
  readonly backendKey: string | undefined;
  /** The model server for the kind `asr`; undefined: that of the others. */
  readonly asrBackend: string | undefined;
  /** Its key; undefined: for the same server the key of the others, and none for another one. */
  readonly asrBackendKey: string | undefined;
  /** Undefined: as many as the backend says that it takes, else 2. */
  readonly maxConcurrency: number | undefined;
  readonly embeddingBatchSize: number;
  /** The names and patterns of the models to offer; undefined: all that the backend lists. */
  readonly models: readonly string[] | undefined;
  /** The models to offer under another name. */
  readonly renames: readonly Rename[];
  /** Whether Claude Code's billing line is left out of prompts. */
  readonly dropBillingLine: "true" | "false";
  /** URL of the MCP server to serve. The kind `mcp` needs this, a command or a servers file. */
  readonly mcpUrl: string | undefined;
  /** A shell command that starts an MCP server speaking stdio, for use without a URL. */
  readonly mcpCommand: string | undefined;
  readonly mcpTransport: McpTransport;
  /** Headers for the MCP server at the URL, with variables that are not expanded yet. */
  readonly mcpHeaders: readonly (readonly [string, string])[];
  /** A file with several MCP servers, instead of the URL or the command. */
  readonly mcpServers: string | undefined;
  /** The id of one more relay, for all servers of the file. */
  readonly mcpOneUrl: string | undefined;
  readonly mcpOneUrlOnly: "true" | "false";
  readonly mcpToolSearch: ToolSearch;
  /** Who may call the MCP server; undefined: `authToken` and `mcpOauth` say. */
  readonly mcpAccess: "none" | "token" | "oauth" | "connector" | undefined;
  readonly mcpOauth: "true" | "false";
  /** Whether the server is told the arguments of calls, for its records. */
  readonly mcpAuditArguments: "true" | "false";
  /** Whether one process of the command serves the sessions of all clients; `serial`: with one tool call at a time. */
  readonly mcpShared: "true" | "false" | "serial";
  /** The most sessions of one relay whose MCP server speaks stdio, or HTTP with SSE. */
  readonly mcpMaxSessions: number;
  /** How long such a session may be unused before it ends. */
  readonly mcpSessionIdleMs: number;
  /** The bearer token that callers of the relay must send; undefined: anybody may call. */
  readonly authToken: string | undefined;
  /** The proxies for what is on other machines. Those with a password contain it. */
  readonly httpsProxy: string | undefined;
  readonly httpProxy: string | undefined;
  /** In the form of `createProxyChoice`. */
  readonly noProxy: string | undefined;
  readonly dialTimeoutMs: number;
  readonly watchIntervalMs: number;
  readonly drainTimeoutMs: number;
  /** Undefined: the kind's own limit. */
  readonly requestTimeoutMs: number | undefined;
  /** Whether the worker becomes the version of its server. */
  readonly update: "true" | "false";
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** The file that the log goes to; undefined: standard output. */
  readonly logFile: string | undefined;
}

export interface WorkerSources extends Sources {
  readonly version: string;
  /** Every kind that this program can serve. */
  readonly knownKinds: readonly string[];
  /** The machine's name, which is the default of `name`. */
  readonly hostname: string;
  /** Whether the log goes to a terminal, which decides the log's default format. */
  readonly isTerminal: boolean;
}

/** Reads, checks and freezes the settings, or lists everything that is wrong. `argv` begins after the word `worker`. */
export function loadWorkerSettings(sources: WorkerSources): Loaded<WorkerSettings> {
  const text = workerText(sources.version, sources.knownKinds, sources.argv, launcherWords(sources.env));
  const env = withEmptyStateFile(withProxyVariables(sources.env));
  const read = readSettings(workerTable(sources.hostname), { ...sources, env }, text, NFRX_AGENTS);
  if (read.kind === "print") return read;
  const named = readKinds(read.positionals, sources.knownKinds);
  // A command line with a mistake in it may contain a kind that was not recognised.
  const isMissing = named.kinds.length === 0 && named.faults.length === 0 && !read.print;
  const missing = isMissing ? [`kind: none is given; name one or more of ${sources.knownKinds.join(", ")}`] : [];
  const relays =
    read.values && !read.print && named.kinds.includes("mcp")
      ? readMcpServers(read.values, sources)
      : { servers: [], faults: [] };
  const faults = [...read.faults, ...named.faults, ...missing, ...relays.faults];
  if (faults.length > 0 || !read.values) return { kind: "faults", faults };
  const logFormat = read.values.logFormat ?? (sources.isTerminal ? "pretty" : "json");
  const stateFile = identityPath(read.values, { platform: process.platform, env, home: homeOf(env) });
  const isStateFileNamed = read.values.stateFile !== undefined;
  const config = deepFreeze({
    ...read.values,
    kinds: named.kinds,
    relays: relays.servers,
    stateFile,
    isStateFileNamed,
    logFormat,
  });
  if (!read.print) return { kind: "ready", config, remarks: read.remarks };
  return { kind: "print", text: read.print({ server: config.server, name: config.name, logFormat }) };
}

interface KindReading {
  readonly kinds: readonly string[];
  readonly faults: readonly string[];
}

/** Reads `llm asr`, `llm,asr` or both. A wrong word is reported by its position, since it may be a piece of a key. */
function readKinds(positionals: readonly Positional[], known: readonly string[]): KindReading {
  const kinds = new Set<string>();
  const faults: string[] = [];
  for (const { text, place, isDoubtful } of positionals) {
    for (const word of text.split(",").filter((each) => each !== "")) {
      if (known.includes(word)) kinds.add(word);
      else if (!isDoubtful) {
        const near = nearest(word, known);
        faults.push(
          `kind: argument ${place} is not a kind; use ${orList(known)}${near ? `; did you mean ${near}?` : ""}`,
        );
      }
    }
  }
  return { kinds: [...kinds], faults };
}
