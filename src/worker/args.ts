import type { LogFormat, LogLevel } from "../log.ts";
import type { Positional } from "../settings/flags.ts";
import { deepFreeze } from "../settings/freeze.ts";
import { atLeastOne, duration, integer, isLine, line, list, parsed, secretKey, word } from "../settings/kinds.ts";
import { nearest } from "../settings/nearest.ts";
import { type Loaded, readSettings, type Sources } from "../settings/read-settings.ts";
import type { ProgramText } from "../settings/render.ts";
import { setting, unset } from "../settings/setting.ts";

/** What the worker program was told: validated and deeply frozen. `docs/configuration.md` says what each key means. */
export interface WorkerSettings {
  /** What to serve, in the order given; at least one. */
  readonly kinds: readonly string[];
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

/** Every setting of the worker program, in the order of the reference. Variables are named as in existing deployments. */
export function workerTable(hostname: string) {
  return {
    server: setting(
      {
        schema: parsed(parseServerUrl),
        placeholder: "url",
        accepts: "a ws, wss, http or https URL without user name, password and query",
        hint: "such as https://moorage.example.com; without a scheme it is wss, or ws on this machine",
      },
      {
        variable: "SERVER_URL",
        flag: "server",
        default: "http://127.0.0.1:8080",
        help: "The server to dial. A path that ends in /api/…/connect is cut.",
      },
    ),
    clientKey: unset(secretKey, {
      variable: "CLIENT_KEY",
      absent: undefined,
      isSecret: true,
      help: "Key that the server asks of workers.",
    }),
    name: unset(line(512), {
      variable: "CLIENT_NAME",
      flag: "name",
      absent: hostname,
      says: "the machine's name",
      help: "Name that people see in the server's state.",
    }),
    id: unset(
      {
        // The server takes no other ids.
        schema: parsed((text) => (/^[A-Za-z0-9._:@-]{1,128}$/.test(text) ? text : undefined)),
        placeholder: "id",
        accepts: "1 to 128 letters, digits and . _ : @ -",
      },
      { variable: "CLIENT_ID", flag: "id", absent: undefined, says: "made anew", help: "Id that clients may address." },
    ),
    backend: unset(
      {
        schema: parsed(parseBackendUrl),
        placeholder: "url",
        accepts: "an http or https URL without user name, password and query",
        hint: "such as http://127.0.0.1:11434/v1",
      },
      {
        variable: "COMPLETION_BASE_URL",
        flag: "backend",
        absent: undefined,
        says: "whatever is found on this machine",
        help: "The model server to serve jobs with.",
      },
    ),
    backendKey: unset(secretKey, {
      variable: "COMPLETION_API_KEY",
      flag: "backend-key",
      absent: undefined,
      isSecret: true,
      help: "Key that the model server asks for, sent to it as a bearer token.",
    }),
    maxConcurrency: setting(integer(1, 10_000), {
      variable: "MAX_CONCURRENCY",
      default: "2",
      help: "Jobs served at the same time.",
    }),
    embeddingBatchSize: setting(integer(1, 2048), {
      variable: "EMBEDDING_BATCH_SIZE",
      default: "64",
      help: "Inputs that one embeddings job should hold; larger requests are split.",
    }),
    models: unset(
      atLeastOne(
        list(
          parsed((text) => (isLine(text, 512) ? text : undefined)),
          { placeholder: "id,…", accepts: "model ids, comma separated" },
        ),
      ),
      { variable: "MODELS", absent: undefined, says: "all of the backend", help: "The only models to offer." },
    ),
    mcpUrl: unset(
      {
        schema: parsed(parseBackendUrl),
        placeholder: "url",
        accepts: "an http or https URL without user name, password and query",
        hint: "such as http://127.0.0.1:7777/mcp",
      },
      { variable: "MCP_URL", flag: "url", absent: undefined, help: "The MCP server that the kind mcp serves." },
    ),
    mcpCommand: unset(line(4096), {
      variable: "MCP_COMMAND",
      flag: "stdio",
      absent: undefined,
      help: "Command that starts the MCP server for the kind mcp, where it speaks stdio; one process a session.",
    }),
    authToken: unset(secretKey, {
      variable: "AUTH_TOKEN",
      absent: undefined,
      isSecret: true,
      says: "not set; anybody who knows the URL may call",
      help: "Token that callers of the MCP server must send as a bearer.",
    }),
    watchIntervalMs: setting(duration("1s", "24h"), {
      variable: "MODEL_POLL_INTERVAL",
      flag: "watch-interval",
      default: "30s",
      help: "How often the backend is asked for its models.",
    }),
    drainTimeoutMs: setting(duration("0s", "24h"), {
      variable: "DRAIN_TIMEOUT",
      default: "1m",
      help: "Time that running jobs get to finish at shutdown.",
    }),
    requestTimeoutMs: unset(duration("1s", "24h"), {
      variable: "REQUEST_TIMEOUT",
      absent: undefined,
      says: "5m; what the server allows for audio",
      help: "Longest silence of the backend on one job.",
    }),
    logLevel: setting(word(["debug", "info", "warn", "error"]), {
      variable: "LOG_LEVEL",
      default: "info",
      help: "Least important log lines that are written.",
    }),
    logFormat: unset(word(["json", "pretty"]), {
      variable: "LOG_FORMAT",
      absent: undefined,
      says: "pretty on a terminal, else json",
      help: "Form of the log lines.",
    }),
  };
}

/** What the worker program says about itself in `--help`. */
export function workerText(version: string, knownKinds: readonly string[]): ProgramText {
  return {
    name: "moorage worker",
    version,
    about: "serves a public server's jobs with a model server on this machine.",
    usage: `moorage worker ${knownKinds.join("|")} [more of them] [flags]`,
  };
}

/** Reads, checks and freezes everything, or says all that is wrong. `argv` begins after the word `worker`. */
export function loadWorkerSettings(sources: WorkerSources): Loaded<WorkerSettings> {
  const text = workerText(sources.version, sources.knownKinds);
  const read = readSettings(workerTable(sources.hostname), sources, text);
  if (read.kind === "say") return read;
  const named = readKinds(read.positionals, sources.knownKinds);
  // A command line with a mistake in it may hold a kind that could not be recognised.
  const isMissing = named.kinds.length === 0 && named.faults.length === 0 && !read.print;
  const missing = isMissing
    ? [`kind: the command line names none; it takes ${sources.knownKinds.join(", ")}, one or several`]
    : [];
  const upstream = read.values && !read.print && named.kinds.includes("mcp") ? upstreamFaults(read.values) : [];
  const faults = [...read.faults, ...named.faults, ...missing, ...upstream];
  if (faults.length > 0 || !read.values) return { kind: "faults", faults };
  const logFormat = read.values.logFormat ?? (sources.isTerminal ? "pretty" : "json");
  const config = deepFreeze({ ...read.values, kinds: named.kinds, logFormat });
  if (!read.print) return { kind: "ready", config };
  return { kind: "say", text: read.print({ server: config.server, name: config.name, logFormat }) };
}

function upstreamFaults({ mcpUrl, mcpCommand }: Pick<WorkerSettings, "mcpUrl" | "mcpCommand">): readonly string[] {
  if (mcpUrl !== undefined && mcpCommand !== undefined)
    return ["url: it and stdio name two MCP servers; a relay serves one"];
  if (mcpUrl !== undefined || mcpCommand !== undefined) return [];
  return [
    "url: the kind mcp needs an MCP server: --url names one that speaks HTTP, --stdio a command for one that does not",
  ];
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

/** Paths of the predecessor's and our own worker routes, which a server URL may end in. */
const WORKER_ROUTE = /\/api\/[a-z]+\/connect$/;
const SCHEMES = new Set(["ws:", "wss:", "http:", "https:"]);

/**
 * A server's base URL, without a trailing slash and without the path of a worker route. Without a scheme it is `wss://`, or
 * `ws://` on this machine. Undefined for what cannot be such a URL; one with a user name or password is refused too.
 */
export function parseServerUrl(text: string): string | undefined {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(\/|$)/i.test(text);
  return parsePlainUrl(hasScheme ? text : `${isLocal ? "ws" : "wss"}://${text}`, SCHEMES)?.replace(WORKER_ROUTE, "");
}

/** An `http(s)` URL without a trailing slash, user name, password, query and fragment; undefined for anything else. */
export function parseBackendUrl(text: string): string | undefined {
  return parsePlainUrl(text, new Set(["http:", "https:"]));
}

/** Where a worker of this kind dials: `wss://host/api/llm/connect`. Takes what `parseServerUrl` returned. */
export function connectUrl(server: string, kind: string): string {
  return `${server.replace(/^http/, "ws")}/api/${kind}/connect`;
}

/** The same server for HTTP clients. Takes what `parseServerUrl` returned. */
export function httpUrl(server: string): string {
  return server.replace(/^ws/, "http");
}

function parsePlainUrl(text: string, schemes: ReadonlySet<string>): string | undefined {
  if (!/^[a-z]+:\/\/[^/\s]/i.test(text) || /\s/.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isPlain = url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  return isPlain && schemes.has(url.protocol)
    ? `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`
    : undefined;
}
