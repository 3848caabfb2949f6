import type { Positional } from "../settings/flags.ts";
import { nearest } from "../settings/nearest.ts";
import { deepFreeze, type Loaded, readSettings, type Sources } from "../settings/read-settings.ts";
import type { ProgramText } from "../settings/render.ts";
import type { LogFormat, LogLevel } from "../system/log.ts";
import type { McpServer, McpTransport } from "./mcp/mcp-server.ts";
import { readMcpServers } from "./mcp/mcp-servers.ts";
import { workerTable } from "./worker-table.ts";

/** What the worker program was told: validated and deeply frozen. `docs/configuration.md` says what each key means. */
export interface WorkerSettings {
  /** What to serve, in the order given; at least one. */
  readonly kinds: readonly string[];
  /** The MCP servers to serve, from the file or from the settings below; none without the kind `mcp`. */
  readonly relays: readonly McpServer[];
  /** Base URL without a trailing slash; see `connectUrl` and `httpUrl`. */
  readonly server: string;
  readonly clientKey: string | undefined;
  readonly name: string;
  /** Undefined: the worker makes or keeps one itself. */
  readonly id: string | undefined;
  /** Base URL without a trailing slash. Undefined: look for one on this machine. */
  readonly backend: string | undefined;
  readonly backendKey: string | undefined;
  readonly maxConcurrency: number;
  readonly embeddingBatchSize: number;
  /** Ids that may be offered; undefined: all that the backend has. */
  readonly models: readonly string[] | undefined;
  /** URL of the MCP server to serve; the kind `mcp` needs this or a command. */
  readonly mcpUrl: string | undefined;
  /** A line for the shell that starts an MCP server which speaks stdio; used where no URL is given. */
  readonly mcpCommand: string | undefined;
  readonly mcpTransport: McpTransport;
  /** File with several MCP servers, in place of the URL and the command. */
  readonly mcpServers: string | undefined;
  readonly mcpOauth: "true" | "false";
  /** What callers of the relay must send as a bearer; undefined: anybody may call. */
  readonly authToken: string | undefined;
  readonly watchIntervalMs: number;
  readonly drainTimeoutMs: number;
  /** Undefined: as long as the kind of job may take. */
  readonly requestTimeoutMs: number | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export interface WorkerSources extends Sources {
  readonly version: string;
  /** The kinds that this program can serve. */
  readonly knownKinds: readonly string[];
  /** The machine's name, which is the default of `name`. */
  readonly hostname: string;
  /** Whether the log goes to a terminal, which decides the log's default format. */
  readonly isTerminal: boolean;
}

/** What the worker program says about itself in `--help`. */
export function workerText(version: string, knownKinds: readonly string[]): ProgramText {
  return {
    name: "moorage worker",
    version,
    about: "serves a public server's jobs with a model server on this machine.",
    usage: `moorage worker ${knownKinds.join("|")} [more of them] [flags]\n       moorage worker doctor [flags] tests the server and the way to it`,
  };
}

/** Reads, checks and freezes everything, or says all that is wrong. `argv` begins after the word `worker`. */
export function loadWorkerSettings(sources: WorkerSources): Loaded<WorkerSettings> {
  const text = workerText(sources.version, sources.knownKinds);
  const read = readSettings(workerTable(sources.hostname), sources, text);
  if (read.kind === "print") return read;
  const named = readKinds(read.positionals, sources.knownKinds);
  // A command line with a mistake in it may hold a kind that could not be recognised.
  const isMissing = named.kinds.length === 0 && named.faults.length === 0 && !read.print;
  const missing = isMissing
    ? [`kind: the command line names none; it takes ${sources.knownKinds.join(", ")}, one or several`]
    : [];
  const relays =
    read.values && !read.print && named.kinds.includes("mcp")
      ? readMcpServers(read.values, sources)
      : { servers: [], faults: [] };
  const faults = [...read.faults, ...named.faults, ...missing, ...relays.faults];
  if (faults.length > 0 || !read.values) return { kind: "faults", faults };
  const logFormat = read.values.logFormat ?? (sources.isTerminal ? "pretty" : "json");
  const config = deepFreeze({ ...read.values, kinds: named.kinds, relays: relays.servers, logFormat });
  if (!read.print) return { kind: "ready", config };
  return { kind: "print", text: read.print({ server: config.server, name: config.name, logFormat }) };
}

interface KindReading {
  readonly kinds: readonly string[];
  readonly faults: readonly string[];
}

/** `llm asr`, `llm,asr` or both. A wrong word is told by its place: it may be the stray half of a key. */
function readKinds(positionals: readonly Positional[], known: readonly string[]): KindReading {
  const kinds = new Set<string>();
  const faults: string[] = [];
  for (const { text, place, isDoubtful } of positionals) {
    for (const word of text.split(",").filter((each) => each !== "")) {
      if (known.includes(word)) kinds.add(word);
      else if (!isDoubtful) {
        const near = nearest(word, known);
        faults.push(
          `kind: argument ${place} is not one; it takes ${known.join(", ")}${near ? `; did you mean ${near}?` : ""}`,
        );
      }
    }
  }
  return { kinds: [...kinds], faults };
}
