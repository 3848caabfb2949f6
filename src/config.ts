import type { NatsServer } from "./settings/nats-url.ts";
import { NFRX_SERVER } from "./settings/nfrx-server.ts";
import type { ClaimRule } from "./settings/oidc.ts";
import type { QueueWeights } from "./settings/queue-weights.ts";
import { deepFreeze, type Loaded, readSettings, type Sources } from "./settings/read-settings.ts";
import type { ProgramText } from "./settings/render.ts";
import { SERVER_GROUPS } from "./settings/server-help.ts";
import { type SettingsOwner, serverTable } from "./settings/server-table.ts";
import type { Values } from "./settings/setting.ts";
import { launcherWords } from "./system/launcher.ts";
import type { LogFormat, LogLevel } from "./system/log.ts";
import { isLoopback } from "./system/loopback.ts";

/**
 * The server's configuration: validated, deeply frozen, read once. `docs/configuration.md` says what each key means. The
 * value also holds the settings of all known plugins; only the plugin that brings a setting sees it, by its own type.
 */
export interface Config {
  /** 0 takes any free port. */
  readonly port: number;
  readonly host: string;
  /** The operator set `host`, so a server without keys is meant to be reachable. */
  readonly hostGiven: boolean;
  /** Identifies this server among others; matches `SERVER_ID` in `system/server-id.ts`. */
  readonly serverId: string;
  /** The listener of `/metrics`; undefined if the public listener serves it. */
  readonly metricsListener: { readonly host: string; readonly port: number } | undefined;
  readonly apiKeys: readonly string[];
  readonly clientKeys: readonly string[];
  /** Keys of operators, for the dashboard and the State API. */
  readonly adminKeys: readonly string[];
  readonly apiRoles: readonly string[];
  readonly clientRoles: readonly string[];
  readonly adminRoles: readonly string[];
  /** The URL of the issuer through which operators sign in; undefined without one. */
  readonly oidcIssuer: string | undefined;
  readonly oidcClientId: string | undefined;
  /** Undefined: this server is a public client. */
  readonly oidcClientSecret: string | undefined;
  /** A user of the issuer with any of these is an admin. */
  readonly oidcAdminClaims: readonly ClaimRule[];
  /** A user of the issuer with any of these is a viewer. */
  readonly oidcViewerClaims: readonly ClaimRule[];
  /** A user of the issuer with any of these may let programs call connector relays. */
  readonly oidcCallerClaims: readonly ClaimRule[];
  /** How long an access token for a connector relay is valid. */
  readonly mcpTokenLifeMs: number;
  /** How long a grant for a connector relay lasts that is not used. */
  readonly mcpGrantIdleMs: number;
  /** Whether documents are fetched with which programs describe themselves. */
  readonly mcpClientDocuments: boolean;
  /** IP addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[];
  /** Origins in the form in which browsers send them; `*` stands for any. */
  readonly allowedOrigins: readonly string[];
  /** The origin by which clients know this server; undefined if it is taken from each request's `Host`. */
  readonly publicUrl: string | undefined;
  /** Host names in lower case without ports, in addition to that of `publicUrl`; `*` stands for any. */
  readonly allowedHosts: readonly string[];
  /** Ids of the plugins to mount, in the server's order. */
  readonly plugins: readonly string[];
  /** Longest silence on a job that is streamed. */
  readonly requestTimeoutMs: number;
  /** Longest silence on a job that is not streamed. */
  readonly requestTimeoutWholeMs: number;
  /** 0: nothing waits. */
  readonly queueSize: number;
  /** 0: nothing waits. */
  readonly queueTimeoutMs: number;
  readonly queueWeights: QueueWeights;
  /** Names of headers in lower case, the first that is sent counts; empty: end users are not told apart. */
  readonly endUserHeaders: readonly string[];
  /** Whether answers say which worker served them, and why. */
  readonly explainRouting: boolean;
  readonly modelGraceMs: number;
  readonly startGraceMs: number;
  readonly keepaliveIntervalMs: number;
  readonly maxJsonBodyBytes: number;
  /** Directory for uploads that do not fit in memory. */
  readonly spoolDirectory: string;
  /** Limit for all uploads together. */
  readonly spoolBytes: number;
  /** Directory of the store; undefined: nothing is kept over a restart. */
  readonly dataDir: string | undefined;
  /** `full`: each write waits for the disk. */
  readonly storeSync: "full" | "normal";
  /** Time after which usage is written. */
  readonly usageFlushMs: number;
  /** 0: no MCP call is kept. */
  readonly mcpCallsKept: number;
  /** Path of a YAML file with keys; undefined without one. */
  readonly keysFile: string | undefined;
  /** Empty: this server has no cluster. */
  readonly natsServers: readonly NatsServer[];
  /** Path of a credentials file. */
  readonly natsCredentials: string | undefined;
  /** Path of a PEM file; undefined to use the authorities of the system. */
  readonly natsAuthority: string | undefined;
  /** Only letters, digits, hyphens and underscores. */
  readonly clusterName: string;
  /** Where the other servers of the cluster connect; undefined for the host means a private address of this machine. */
  readonly clusterListener: { readonly host: string | undefined; readonly port: number };
  /** The address that other servers are told to connect to; undefined for the address of the listener. */
  readonly clusterAddress: { readonly host: string; readonly port: number } | undefined;
  /** Whether a NATS server on another machine may be used without credentials. */
  readonly clusterOpen: boolean;
  /** How long created keys count as last known while NATS cannot be reached, in milliseconds. */
  readonly keysStaleMs: number;
  readonly region: string | undefined;
  /** 0: the drain begins at once. */
  readonly drainDelayMs: number;
  readonly drainTimeoutMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly registerTimeoutMs: number;
  /** Wrong keys per address and minute; 0 counts none. */
  readonly authFailuresPerMinute: number;
  /** Concurrent requests of one key; 0: no limit. */
  readonly maxRequestsPerKey: number;
  /** Concurrent requests of one address; 0: no limit. */
  readonly maxRequestsPerAddress: number;
  readonly windowBytes: number;
  readonly legacyHoldBytes: number;
  readonly legacyBodyBytes: number;
  readonly pingIntervalMs: number;
  readonly earlyHeadersMs: number;
  readonly clientStallTimeoutMs: number;
  readonly confirmTimeoutMs: number;
}

export interface ConfigSources extends Sources {
  readonly version: string;
  /** The plugins that `PLUGINS` may name, in the order of mounting, with the settings that they bring. */
  readonly knownPlugins: readonly SettingsOwner[];
  /** Whether the log goes to a terminal, which decides the log's default format. */
  readonly isTerminal: boolean;
}

/** The server's description in `--help`. */
export function serverText(version: string, launcher = "moorage"): ProgramText {
  return {
    name: "moorage",
    version,
    about: "private models and tools behind one public server.",
    usage: `${launcher} serve [flags]`,
    examples: [
      `API_KEY=… CLIENT_KEY=… ${launcher} serve --port 8080`,
      `${launcher} serve --data-dir ./data --public-url https://moorage.example.com`,
    ],
    groups: SERVER_GROUPS,
  };
}

/** Reads, checks and freezes the configuration, or returns all faults. Pure except for `readFile`. */
export function loadConfig(sources: ConfigSources): Loaded<Config> {
  const read = readSettings(
    serverTable(sources.knownPlugins),
    sources,
    serverText(sources.version, launcherWords(sources.env)),
    NFRX_SERVER,
  );
  if (read.kind === "print") return read;
  const strays = read.positionals.filter((each) => !each.isDoubtful);
  const faults = [
    ...read.faults,
    ...strays.map(({ place }) => `argument ${place}: is not a flag; flags begin with two dashes`),
  ];
  if (faults.length > 0 || !read.values) return { kind: "faults", faults };
  const config = toConfig(read.values, sources.isTerminal);
  if (opensCluster(config)) return { kind: "faults", faults: [OPEN_CLUSTER] };
  const missing = missingForIssuer(config);
  if (missing.length > 0) return { kind: "faults", faults: missing };
  if (!read.print) return { kind: "ready", config, remarks: read.remarks };
  const { host: address, logFormat, plugins, serverId, metricsListener: metrics } = config;
  const metricsAddress = metrics
    ? `${metrics.host.includes(":") ? `[${metrics.host}]` : metrics.host}:${metrics.port}`
    : "";
  return {
    kind: "print",
    text: read.print({
      host: address,
      serverId,
      logFormat,
      plugins: plugins.join(","),
      metricsListener: metricsAddress,
    }),
  };
}

/** Whether workers come from several owners, and a restart would make the server forget which ids are whose. */
export function forgetsOwners({ dataDir, natsServers, clientKeys, clientRoles }: Config): boolean {
  // In a cluster, NATS keeps them, or the dashboard says that it does not.
  return dataDir === undefined && natsServers.length === 0 && clientKeys.length + clientRoles.length > 1;
}

const OPEN_CLUSTER =
  "nats_url: has neither user nor token for a NATS server on another machine, so anyone who reaches that server could join this cluster; give NATS_URL credentials or set NATS_CREDS, or set CLUSTER_OPEN=true if nobody else can reach it";

/** Whether strangers could join the cluster through a NATS server that asks for no credentials. */
function opensCluster({ natsServers, natsCredentials, clusterOpen }: Config): boolean {
  if (clusterOpen || natsCredentials !== undefined) return false;
  if (natsServers.some(({ user, token }) => user !== undefined || token !== undefined)) return false;
  return natsServers.some(({ host }) => !isLoopback(host.toLowerCase()));
}

/** Returns what is missing for sign-ins through the issuer. */
function missingForIssuer(config: Config): readonly string[] {
  const { oidcIssuer, oidcClientId, oidcAdminClaims, oidcViewerClaims, oidcCallerClaims } = config;
  if (oidcIssuer === undefined) return [];
  const faults: string[] = [];
  if (oidcClientId === undefined)
    faults.push("oidc_client_id: is not set; OIDC_ISSUER needs the id under which the issuer knows this server");
  if (oidcAdminClaims.length + oidcViewerClaims.length + oidcCallerClaims.length === 0)
    faults.push(
      "oidc_admin_claim: is not set, and neither is OIDC_VIEWER_CLAIM or OIDC_CALLER_CLAIM, so none of the issuer's users could sign in; set one, such as groups:gpu-admins",
    );
  return faults;
}

function toConfig(values: Values<ReturnType<typeof serverTable>>, isTerminal: boolean): Config {
  const isOpen =
    (values.apiKeys.length === 0 && values.apiRoles.length === 0 && values.keysFile === undefined) ||
    (values.clientKeys.length === 0 && values.clientRoles.length === 0);
  const address = values.host ?? (isOpen ? "127.0.0.1" : "0.0.0.0");
  const separate = values.metricsListener;
  const metrics = separate && { host: separate.host ?? address, port: separate.port };
  // The same address twice means one listener, because two could not bind it.
  const isSame = metrics?.host === address && metrics.port === values.port && metrics.port !== 0;
  return deepFreeze({
    ...values,
    host: address,
    hostGiven: values.host !== undefined,
    metricsListener: isSame ? undefined : metrics,
    logFormat: values.logFormat ?? (isTerminal ? "pretty" : "json"),
    clusterOpen: values.clusterOpen === "true",
    explainRouting: values.explainRouting === "true",
    mcpClientDocuments: values.mcpClientDocuments === "true",
  });
}
