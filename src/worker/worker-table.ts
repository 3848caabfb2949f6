import {
  atLeastOne,
  duration,
  durationOrAny,
  integer,
  line,
  list,
  parsed,
  path,
  secretKey,
  word,
} from "../settings/kinds.ts";
import { logLevel } from "../settings/log-level.ts";
import { setting, unset } from "../settings/setting.ts";
import { ID_FORM, isId, isModelId, MAX_TEXT_CHARS } from "../wire/names.ts";
import { parseBackendUrl, parseServerUrl } from "./server-url.ts";
import { clientKeys, headerLines, joinToken, proxyUrl, renameList } from "./setting-kinds.ts";

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
        help: "The server to connect to. A path that ends in /api/…/connect is removed.",
      },
    ),
    clientKeys: unset(clientKeys, {
      variable: "CLIENT_KEY",
      absent: [],
      isSecret: true,
      help: "Key that the server requires from workers. While the key is being replaced, the new key, a comma and the previous one, which proves that the worker's id is its own.",
    }),
    joinToken: unset(joinToken, {
      variable: "JOIN_TOKEN",
      flag: "join",
      absent: undefined,
      isSecret: true,
      help: "Token that is traded for a key of the worker's own at its first registration. The key is kept in STATE_FILE, and the token is not needed again.",
    }),
    stateFile: unset(path, {
      variable: "STATE_FILE",
      absent: undefined,
      says: "a file for each server in the user's state directory",
      help: "File in which a worker that has joined keeps its key and its id, for each server that it has joined. Each worker needs its own; without a key in it, and without JOIN_TOKEN, it is not used.",
    }),
    name: unset(line(MAX_TEXT_CHARS), {
      variable: "CLIENT_NAME",
      flag: "name",
      absent: hostname,
      says: "the machine's name",
      help: "Name that the server's state shows.",
    }),
    id: unset(
      {
        schema: parsed((text) => (isId(text) ? text : undefined)),
        placeholder: "id",
        accepts: ID_FORM,
      },
      {
        variable: "CLIENT_ID",
        flag: "id",
        absent: undefined,
        says: "assigned by the server",
        help: "Id under which clients may address this worker.",
      },
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
        says: "found on this machine",
        help: "The model server that does the work.",
      },
    ),
    backendKey: unset(secretKey, {
      variable: "COMPLETION_API_KEY",
      flag: "backend-key",
      absent: undefined,
      isSecret: true,
      help: "Key that the model server requires; it is sent as a bearer token.",
    }),
    asrBackend: unset(
      {
        schema: parsed(parseBackendUrl),
        placeholder: "url",
        accepts: "an http or https URL without user name, password and query",
        hint: "such as http://127.0.0.1:8000/v1",
      },
      {
        variable: "ASR_BASE_URL",
        flag: "asr-backend",
        absent: undefined,
        says: "the value of COMPLETION_BASE_URL, else found on this machine",
        help: "The model server for the kind asr.",
      },
    ),
    asrBackendKey: unset(secretKey, {
      variable: "ASR_API_KEY",
      flag: "asr-backend-key",
      absent: undefined,
      isSecret: true,
      says: "the value of COMPLETION_API_KEY; not set if ASR_BASE_URL is",
      help: "Key that this model server requires.",
    }),
    maxConcurrency: unset(integer(1, 10_000), {
      variable: "MAX_CONCURRENCY",
      absent: undefined,
      says: "the slots that the backend states, as llama.cpp does, else 2",
      help: "Jobs served at the same time.",
    }),
    embeddingBatchSize: setting(integer(1, 2048), {
      variable: "EMBEDDING_BATCH_SIZE",
      default: "64",
      help: "Inputs per embeddings job; larger requests are split.",
    }),
    models: unset(
      atLeastOne(
        list(
          parsed((text) => (isModelId(text) ? text : undefined)),
          { placeholder: "id,…", accepts: "model ids, comma separated, in which * stands for any text" },
        ),
      ),
      {
        variable: "MODELS",
        absent: undefined,
        says: "all models that the backend lists",
        help: "The only models to offer. Names are offered even if the backend does not list them; patterns with * choose among those that it lists.",
      },
    ),
    renames: unset(renameList, {
      variable: "RENAME",
      absent: [],
      says: "none",
      help: "Models to offer under another name than the backend's, which is then no longer offered.",
    }),
    dropBillingLine: setting(word(["true", "false"]), {
      variable: "DROP_BILLING_LINE",
      default: "false",
      help: "Whether the line x-anthropic-billing-header, which Claude Code changes in each request, is left out of prompts. It keeps model servers that read it from using their prompt cache.",
    }),
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
      help: "YAML or JSON file with several MCP servers, for the kind mcp; each gets its own relay.",
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
    httpsProxy: unset(proxyUrl, {
      variable: "HTTPS_PROXY",
      absent: undefined,
      isSecret: true,
      says: "not set; the server is dialled directly",
      help: "Proxy for wss and https URLs of other machines: the server's, and those of backends and MCP servers.",
    }),
    httpProxy: unset(proxyUrl, {
      variable: "HTTP_PROXY",
      absent: undefined,
      isSecret: true,
      help: "The same for ws and http URLs.",
    }),
    noProxy: unset(line(16_384), {
      variable: "NO_PROXY",
      absent: undefined,
      help: "Hosts that are reached without a proxy: names with their subdomains, addresses and CIDR ranges, each with or without a port, comma separated; or *. This machine is always reached without one.",
    }),
    dialTimeoutMs: setting(duration("1s", "10m"), {
      variable: "DIAL_TIMEOUT",
      // A TLS handshake moves about 6 KB and takes four round trips: 25 s at 350 B/s with 2 s of delay.
      default: "30s",
      help: "Longest time that a connection to the server may take to open, and after that the server to answer the registration.",
    }),
    watchIntervalMs: setting(duration("1s", "24h"), {
      variable: "MODEL_POLL_INTERVAL",
      flag: "watch-interval",
      default: "30s",
      help: "Interval at which the backend is asked for its models.",
    }),
    drainTimeoutMs: setting(durationOrAny("0s", "24h"), {
      variable: "DRAIN_TIMEOUT",
      default: "1m",
      help: "Time for running jobs to finish at shutdown.",
    }),
    requestTimeoutMs: unset(duration("1s", "24h"), {
      variable: "REQUEST_TIMEOUT",
      absent: undefined,
      says: "the server's limit",
      help: "Longest time that the backend may stay silent on one job. The server's limit ends the job sooner if it is shorter.",
    }),
    logLevel: setting(logLevel, {
      variable: "LOG_LEVEL",
      default: "info",
      help: "Lowest level of log lines that are written.",
    }),
    logFormat: unset(word(["json", "pretty"]), {
      variable: "LOG_FORMAT",
      absent: undefined,
      says: "pretty on a terminal, else json",
      help: "Format of the log lines.",
    }),
  };
}
