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
import { relaySettings } from "./relay-settings.ts";
import { parseBackendUrl, parseServerUrl } from "./server-url.ts";
import { clientKeys, joinToken, onOff, proxyUrl, renameList } from "./setting-kinds.ts";

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
      says: "a file for each server and worker in the user's state directory",
      help: "File in which a worker keeps its id over restarts and, if it has joined, its key, for each server. Each worker needs its own. With none, or set to nothing, it keeps neither.",
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
      says: "what the backend states or is known for: llama.cpp its slots, vLLM what its cache holds, else 32; Ollama and others 2",
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
    ...relaySettings,
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
    update: setting(onOff, {
      variable: "UPDATE",
      default: "false",
      help: "Whether the worker becomes the version of its server if that has another one: it fetches the package from /join of the server and starts it in its own place. Only over https, or from this machine.",
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
    logFile: unset(path, {
      variable: "LOG_FILE",
      absent: undefined,
      says: "standard output",
      help: "File that the log goes to, where the system keeps no logs. At 10 MiB it is renamed, in place of the one before it.",
    }),
  };
}
