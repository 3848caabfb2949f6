import { hostname, tmpdir } from "node:os";
import { SERVER_ID, toServerId } from "../system/server-id.ts";
import { clusterTable } from "./cluster-table.ts";
import { doorTable } from "./door-table.ts";
import { grantTable } from "./grant-table.ts";
import { duration, durationOrAny, host, integer, parsed, path, size, word } from "./kinds.ts";
import { logLevel } from "./log-level.ts";
import { mergeTables } from "./merge-tables.ts";
import { addressRanges, headerNames, hostNames, listener, origin, origins, port } from "./network.ts";
import { pluginList } from "./plugin-list.ts";
import { queueWeights } from "./queue-weights.ts";
import { type Kind, setting, type Table, unset } from "./setting.ts";

const serverId: Kind<string> = {
  schema: parsed((text) => (SERVER_ID.test(text) ? text : undefined)),
  placeholder: "id",
  accepts: "1 to 32 letters, digits and hyphens",
};

/** A part of the server that brings settings of its own: a plugin. */
export interface SettingsOwner {
  /** Its name in `PLUGINS`. */
  readonly id: string;
  readonly settings: Table;
}

/** Every setting of the server and of its plugins, in the order of the reference. `plugins` are in the order of mounting. */
export function serverTable(plugins: readonly SettingsOwner[]) {
  return mergeTables(
    ownTable(plugins.map(({ id }) => id)),
    plugins.map(({ settings }) => settings),
  );
}

function ownTable(knownPlugins: readonly string[]) {
  return {
    port: setting(port, { variable: "PORT", default: "8080", help: "Port of the public listener." }),
    host: unset(host, {
      variable: "HOST",
      absent: undefined,
      says: "127.0.0.1 if clients or workers need no key, else 0.0.0.0",
      help: "Address of the public listener. Without keys, it must be set for other machines to connect.",
    }),
    serverId: unset(serverId, {
      variable: "SERVER_ID",
      platformVariable: "FLY_MACHINE_ID",
      absent: toServerId(hostname()),
      says: "FLY_MACHINE_ID, else the host name, with hyphens for other characters",
      help: "Name of this server, which no other server may have. The ids of its jobs, worker sessions and transfer channels begin with it or with a digest of it.",
    }),
    metricsListener: unset(listener, {
      variable: "METRICS_PORT",
      absent: undefined,
      says: "the public listener",
      help: "Separate address for /metrics, which the public listener then no longer serves. A bare port uses HOST.",
    }),
    ...doorTable,
    ...grantTable,
    trustedProxies: setting(addressRanges, {
      variable: "TRUSTED_PROXIES",
      // Loopback, private and link-local ranges: where a reverse proxy in front of the server usually is.
      default: "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,::1/128,fc00::/7,fe80::/10",
      help: "Addresses that may send X-User-Roles, X-Forwarded-* and Fly-Client-IP; from other addresses, these are ignored.",
    }),
    allowedOrigins: unset(origins, {
      variable: "ALLOWED_ORIGINS",
      absent: [],
      says: "none",
      help: "Origins of web pages that may call the server (CORS, and MCP's Origin check). A server on a loopback address also accepts this machine's pages. A request with a role from X-User-Roles needs its origin listed; * does not cover it.",
    }),
    publicUrl: unset(origin, {
      variable: "PUBLIC_URL",
      absent: undefined,
      says: "the Host of each request",
      help: "URL under which clients reach the server. MCP's OAuth metadata contain it, web pages of this origin may call MCP, and MCP checks Host against it.",
    }),
    allowedHosts: unset(hostNames, {
      variable: "ALLOWED_HOSTS",
      absent: [],
      says: "the name in PUBLIC_URL; without PUBLIC_URL, any",
      help: "Host names under which MCP may be called, in addition to the one in PUBLIC_URL and, on a loopback address, this machine's own. Without keys, a server on a loopback address applies them to every route.",
    }),
    plugins: setting(pluginList(knownPlugins), {
      variable: "PLUGINS",
      default: "*",
      help: "Parts of the server that are switched on.",
    }),
    requestTimeoutMs: setting(duration("1s", "24h"), {
      variable: "REQUEST_TIMEOUT",
      default: "120s",
      help: "Longest time that a worker may stay silent on one job that is streamed, before its first byte and between bytes.",
    }),
    requestTimeoutWholeMs: setting(duration("1s", "24h"), {
      variable: "REQUEST_TIMEOUT_WHOLE",
      // A machine without a graphics card writes 5 tokens per second: 200 s for 1,000 tokens, all of them in silence.
      default: "10m",
      help: "REQUEST_TIMEOUT for jobs that are not streamed, whose workers are silent until the model is done.",
    }),
    queueSize: setting(integer(0, 100_000), {
      variable: "QUEUE_SIZE",
      default: "100",
      help: "Jobs of one plugin that may wait for a free slot; 0 switches the queue off.",
    }),
    queueTimeoutMs: setting(duration("0s", "24h"), {
      variable: "QUEUE_TIMEOUT",
      default: "60s",
      help: "Longest time that a job may wait for a free slot; 0 switches the queue off.",
    }),
    queueWeights: setting(queueWeights, {
      variable: "QUEUE_WEIGHTS",
      default: "input=1,cached=0.1,output=8",
      help: "Cost of one token in the queue: of input that the backend computes, of input that it has in its cache, and of output. The caller whose jobs have cost least is next.",
    }),
    endUserHeaders: setting(headerNames, {
      variable: "END_USER_HEADERS",
      // Open WebUI sends it if ENABLE_FORWARD_USER_INFO_HEADERS is set.
      default: "X-OpenWebUI-User-Id",
      help: "Headers that name the person behind a request, for programs that serve several people with one key. These people then share the key's turns. Without such a header, safety_identifier or user in the body counts; none switches both off.",
    }),
    explainRouting: setting(word(["true", "false"]), {
      variable: "EXPLAIN_ROUTING",
      default: "false",
      help: "Whether responses say in X-Moorage-Worker and X-Moorage-Reason which worker served them, and why it was chosen.",
    }),
    modelGraceMs: setting(duration("0s", "7d"), {
      variable: "MODEL_GRACE",
      // Longer than QUEUE_TIMEOUT three times over, so that a client that waits and retries never ends with 404; and long
      // enough for a machine to reboot.
      default: "10m",
      help: "Time for which a model stays known after its last worker has left: requests for it then wait, and get 503 instead of 404.",
    }),
    keepaliveIntervalMs: setting(duration("1s", "5m"), {
      variable: "KEEPALIVE_INTERVAL",
      // Reverse proxies commonly close a connection after 60 s of silence.
      default: "15s",
      help: "Time between the comments that keep a silent event stream open.",
    }),
    maxJsonBodyBytes: setting(size("1KiB", "1GiB"), {
      variable: "MAX_BODY_BYTES",
      default: "32MiB",
      help: "Largest JSON request body; a larger one gets 413. Audio uploads have their own limit.",
    }),
    startGraceMs: setting(duration("0s", "5m"), {
      variable: "START_GRACE",
      // A worker reconnects 2 to 4 s after a server has told it to leave, and mostly less than 15 s after a broken
      // connection. A new server may also be up for a while before the one that it replaces sends its workers away.
      default: "30s",
      help: "Time after the start in which a missing model or relay is expected to connect: requests for it wait, and get 503 instead of 404.",
    }),
    spoolDirectory: unset(path, {
      variable: "SPOOL_DIR",
      absent: tmpdir(),
      says: "the system's directory for temporary files",
      help: "Directory for uploads larger than 1 MiB, which are kept until their response begins, and for what slow clients of legacy workers have not read.",
    }),
    spoolBytes: setting(size("0B", "64TiB"), {
      variable: "SPOOL_BYTES",
      default: "8GiB",
      help: "Disk space that all of this may use in SPOOL_DIR; with 0, none is kept.",
    }),
    dataDir: unset(path, {
      variable: "DATA_DIR",
      absent: undefined,
      says: "not set; nothing is kept over a restart",
      help: "Directory on a local disk for what must survive a restart: usage, MCP calls, what operators did, drained and blocked workers, and which key each worker id belongs to. Only one server at a time can use it.",
    }),
    storeSync: setting(word(["full", "normal"]), {
      variable: "STORE_SYNC",
      needs: "DATA_DIR",
      default: "normal",
      help: "How writes to DATA_DIR survive a crash of the machine: with normal, the usage of the last seconds may be lost; full waits for the disk at each write. A crash of the server alone loses nothing that was written.",
    }),
    usageFlushMs: setting(duration("100ms", "1m"), {
      variable: "USAGE_FLUSH",
      default: "1s",
      help: "How often usage and MCP calls are written to DATA_DIR. At most this much of it is lost if the server is killed.",
    }),
    mcpCallsKept: setting(integer(0, 1_000_000), {
      variable: "MCP_CALLS_KEPT",
      // Two weeks of five calls a minute. A call takes about 300 bytes, and up to 4 KiB more with its arguments.
      default: "100000",
      help: "MCP calls that are kept for operators: who called which tool, and how it ended. Without DATA_DIR, at most 10,000; 0 keeps none.",
    }),
    keysFile: unset(path, {
      variable: "KEYS_FILE",
      absent: undefined,
      help: "YAML file with keys and what each of them allows. It is read again when it changes, and on SIGHUP. With it, clients always need a key.",
    }),
    ...clusterTable,
    drainDelayMs: setting(duration("0s", "10m"), {
      variable: "DRAIN_DELAY",
      default: "0s",
      help: "Time at shutdown for which the server goes on serving while /healthz is 503, so that a proxy has sent all new requests to its successor before it refuses any.",
    }),
    drainTimeoutMs: setting(durationOrAny("0s", "24h"), {
      variable: "DRAIN_TIMEOUT",
      default: "5m",
      help: "Time for running jobs to finish at shutdown, after DRAIN_DELAY.",
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
    registerTimeoutMs: setting(duration("100ms", "5m"), {
      variable: "REGISTER_TIMEOUT",
      default: "10s",
      help: "Time in which a new worker connection must register.",
    }),
    authFailuresPerMinute: setting(integer(0, 1_000_000), {
      variable: "AUTH_FAILURES_PER_MINUTE",
      default: "20",
      help: "Wrong keys of one address within a minute, after which further wrong keys from it get 429. A right key is always let in. 0 switches the limit off.",
    }),
    maxRequestsPerKey: setting(integer(0, 1_000_000), {
      variable: "MAX_REQUESTS_PER_KEY",
      // Twice the default of QUEUE_SIZE: one key can fill the queue and many slots, but cannot fill the memory with bodies.
      default: "200",
      help: "Requests of one API key or role that may be in progress at once, including those that wait; further requests get 429. 0 switches the limit off.",
    }),
    maxRequestsPerAddress: setting(integer(0, 1_000_000), {
      variable: "MAX_REQUESTS_PER_ADDRESS",
      // An office behind one address fits; a request that waits may hold a body of MAX_BODY_BYTES.
      default: "1000",
      help: "Requests of one client address (IPv6: one /64) that may be in progress at once, whatever their keys; further requests get 429. 0 switches the limit off.",
    }),
    windowBytes: setting(size("16KiB", "16MiB"), {
      variable: "WINDOW_BYTES",
      // With a round trip of 50 ms this allows 5 MB/s per job, far more than a model writes.
      default: "256KiB",
      help: "Bytes that a native worker may send ahead of the client, per job and direction.",
    }),
    legacyHoldBytes: setting(size("64KiB", "1GiB"), {
      variable: "LEGACY_HOLD_BYTES",
      // Small, because each of many jobs may need it; a disk keeps up with the rest.
      default: "8MiB",
      help: "Bytes that are held in memory for a slow client of a worker without flow control, per job; more goes to SPOOL_DIR.",
    }),
    legacyBodyBytes: setting(size("1MiB", "1GiB"), {
      variable: "LEGACY_BODY_BYTES",
      // Two hours of uncompressed speech. It is sent in one message, of which both sides hold several copies.
      default: "256MiB",
      help: "Largest request body for a worker without flow control, which takes about four times as much memory while it is sent; also the most that such bodies may take together while they arrive.",
    }),
    pingIntervalMs: setting(duration("1s", "5m"), {
      variable: "PING_INTERVAL",
      default: "15s",
      help: "Time between the pings that check whether a worker is still connected.",
    }),
    earlyHeadersMs: setting(duration("0s", "5m"), {
      variable: "EARLY_HEADERS_AFTER",
      // Most answers begin sooner, so they still have the backend's own status.
      default: "8s",
      help: "Time after which a waiting streaming request gets its headers, before the worker responds.",
    }),
    clientStallTimeoutMs: setting(duration("1s", "24h"), {
      variable: "CLIENT_STALL_TIMEOUT",
      default: "10m",
      help: "Time after which a client that reads nothing of its response is disconnected.",
    }),
    confirmTimeoutMs: setting(duration("100ms", "5m"), {
      variable: "CONFIRM_TIMEOUT",
      default: "5s",
      help: "Longest time that a slot stays occupied until a worker confirms a cancelled job.",
    }),
  };
}
