import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { App } from "./app/contract.ts";
import { createApp } from "./app.ts";
import type { Access } from "./auth/auth.ts";
import type { IdentityProvider } from "./auth/identity-provider.ts";
import { weakKeys } from "./auth/weak-keys.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { type Config, type ConfigSources, forgetsOwners, loadConfig } from "./config.ts";
import type { KeysFileWatch } from "./keys/keys-file-watch.ts";
import { type OpenedKeys, openKeys } from "./keys/open-keys.ts";
import { type Listening, listen } from "./listen.ts";
import { packageTarball } from "./packing/tarball.ts";
import { KNOWN_PLUGINS } from "./plugins.ts";
import { changedVariables } from "./settings/changed.ts";
import type { Remark } from "./settings/former-names.ts";
import { configFileOf, EXIT_CONFIG } from "./settings/read-settings.ts";
import { serverTable } from "./settings/server-table.ts";
import { shutDown } from "./shutdown.ts";
import { createRecords, type StoredRecords } from "./store/records.ts";
import { openStore, type Store } from "./store/store.ts";
import { StoreFault } from "./store/store-fault.ts";
import { systemClock } from "./system/clock.ts";
import type { Deps, Log } from "./system/deps.ts";
import { fileStamp } from "./system/file-stamp.ts";
import { systemIds } from "./system/ids.ts";
import { KeyMask } from "./system/key-mask.ts";
import { ListenError } from "./system/listen-fault.ts";
import { createLog } from "./system/log.ts";
import { createLogWriter, toStdout } from "./system/log-writer.ts";
import { type OtherSignal, surviveSignals } from "./system/signals.ts";
import { VERSION } from "./system/version.ts";

/**
 * Runs the server in this process: reads the configuration, starts listening, reloads keys and roles on SIGHUP, and stops
 * in order on SIGTERM or SIGINT. `argv` begins after the program's name. Settings that are not valid end the process with
 * `EXIT_CONFIG`.
 */
export async function runServer(argv: readonly string[]): Promise<void> {
  let onSignal: (signal: OtherSignal) => void = () => {};
  surviveSignals((signal) => onSignal(signal));
  const sources: ConfigSources = {
    argv,
    env: process.env,
    readFile: (path) => readFileSync(path, "utf8"),
    version: VERSION,
    knownPlugins: KNOWN_PLUGINS,
    isTerminal: process.stdout.isTTY === true,
  };
  const loaded = loadConfig(sources);
  if (loaded.kind === "print") {
    process.stdout.write(`${loaded.text}\n`);
    process.exit(0);
  }
  if (loaded.kind === "faults") {
    process.stderr.write(`The settings are not valid:\n${loaded.faults.map((fault) => `  - ${fault}\n`).join("")}`);
    process.exit(EXIT_CONFIG);
  }
  const { app, log, keysFile } = await start(loaded.config, loaded.remarks);
  onSignal = (signal) => {
    if (signal === "SIGHUP") {
      keysFile?.reload();
      reload(app, sources, loaded.config, log, keysFile !== undefined);
    } else log.info("server.signal", { signal, effect: "none" });
  };
}

/** A server that runs. */
interface Started {
  readonly app: App;
  readonly log: Log;
  readonly keysFile: KeysFileWatch | undefined;
}

async function start(config: Config, remarks: readonly Remark[]): Promise<Started> {
  const lines = createLogWriter(systemClock, toStdout);
  process.on("exit", () => lines.flush());
  const mask = new KeyMask();
  const { logLevel: level, logFormat: format } = config;
  const log = createLog({ level, format, write: lines.write, now: Date.now, mask });
  for (const { name, hint } of remarks) log.warn("setting.ignored", { name, hint });
  const deps: Deps = { clock: systemClock, log, ids: systemIds, mask };
  const store = open(config, deps);
  const local = store && createRecords(store);
  const cluster = await join(config, deps, local);
  // Each server keeps its own usage and its own trail, also in a cluster.
  const own = local && { usage: local.usage, failedJobs: local.failedJobs, audit: local.audit, oauth: local.oauth };
  const records = cluster ? { ...cluster.records, ...own } : local;
  const keys = await openKeysOf(config, deps, local, cluster);
  const identity = await identityOf(config, deps);
  const app = createApp(config, deps, { keys, records, cluster, identity, pack: packageTarball });
  let listening: Listening;
  try {
    listening = listen(app, config);
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    const { reason, hint } = error.fault;
    log.error("server.listen_failed", {
      host: config.host,
      port: config.port,
      reason,
      hint,
    });
    process.exit(1);
  }
  log.info("server.started", {
    version: VERSION,
    server: config.serverId,
    url: listening.url,
    metrics: listening.metricsUrl,
    plugins: app.plugins.map((plugin) => plugin.id).join(","),
  });
  warnIfOpen(config, app.access, log);
  warnIfClientsOperate(config, app.access, log);
  warnOfWeakKeys(config, log);
  warnIfOwnersForgotten(config, log);

  let stopping = false;
  const stop = (signal: string): void => {
    // A second signal means that the operator does not want to wait for running jobs.
    if (stopping) process.exit(1);
    stopping = true;
    log.info("server.signal", { signal });
    const end = shutDown(app, listening, config, deps);
    end
      .then(() => cluster?.close())
      .then(
        () => {
          store?.close();
          process.exit(0);
        },
        (error) => {
          log.error("server.shutdown_failed", { reason: error instanceof Error ? error.message : String(error) });
          process.exit(1);
        },
      );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  return { app, log, keysFile: keys?.file };
}

/**
 * Reads the configuration again and takes over its keys and roles. `started` is the one with which the server started;
 * `hasKeysFile` tells whether something else was read again.
 */
function reload(app: App, sources: ConfigSources, started: Config, log: Log, hasKeysFile: boolean): void {
  const file = configFileOf(sources);
  if (file === undefined && hasKeysFile) return;
  if (file === undefined)
    return log.warn("keys.reload_skipped", {
      reason: "no file is set by CONFIG_FILE or --config, and environment and flags of a running process cannot change",
    });
  const loaded = loadConfig(sources);
  if (loaded.kind === "faults") return log.error("keys.reload_failed", { file, reason: loaded.faults.join("; ") });
  if (loaded.kind === "print") return;
  const reloaded = app.reload(loaded.config);
  if (!reloaded.ok)
    return log.error("keys.reload_failed", {
      file,
      reason: `no key and no role for ${reloaded.opened} is left, which would let others in; restart the server if that is meant`,
    });
  const { apiKeys, clientKeys, adminKeys, apiRoles, clientRoles, adminRoles } = reloaded.changes;
  log.info("keys.reloaded", {
    file,
    api_keys_added: apiKeys.added,
    api_keys_removed: apiKeys.removed,
    client_keys_added: clientKeys.added,
    client_keys_removed: clientKeys.removed,
    admin_keys_added: adminKeys.added,
    admin_keys_removed: adminKeys.removed,
    roles_added: apiRoles.added + clientRoles.added + adminRoles.added,
    roles_removed: apiRoles.removed + clientRoles.removed + adminRoles.removed,
    workers_disconnected: reloaded.disconnected,
    needs_restart: changedSettings(started, loaded.config),
  });
  warnIfClientsOperate(loaded.config, app.access, log);
  warnIfOwnersForgotten(loaded.config, log);
  warnOfWeakKeys(loaded.config, log);
}

/** Lists the settings that a reload does not take over although the file has changed them; undefined if there are none. */
function changedSettings(started: Config, next: Config): string | undefined {
  const taken = ["apiKeys", "clientKeys", "adminKeys", "apiRoles", "clientRoles", "adminRoles"];
  // The values of all settings, by the keys of the table.
  const [before, after] = [{ ...started }, { ...next }];
  return changedVariables(serverTable(KNOWN_PLUGINS), before, after, taken).join(",") || undefined;
}

/** Joins the cluster that the configuration names. Ends the process if it must not. */
async function join(config: Config, deps: Deps, local: StoredRecords | undefined): Promise<Cluster | undefined> {
  if (config.natsServers.length === 0) return undefined;
  // A server without a cluster does not load the client of NATS, which takes a quarter of a second.
  const { startCluster } = await import("./cluster/start.ts");
  const started = await startCluster(config, deps, process.env, local);
  if (started.kind === "started") return started.cluster;
  const { reason, hint, exitCode } = started;
  deps.log.error("cluster.refused", { reason, hint });
  process.exit(exitCode);
}

/** Creates the client of the issuer that the configuration names. The server starts whether or not the issuer answers. */
async function identityOf(config: Config, deps: Deps): Promise<IdentityProvider | undefined> {
  const { oidcIssuer: issuer, oidcClientId: clientId, oidcClientSecret: clientSecret } = config;
  if (issuer === undefined || clientId === undefined) return undefined;
  const claims = [config.oidcAdminClaims, config.oidcViewerClaims, config.oidcCallerClaims]
    .flat()
    .map(({ claim }) => claim);
  // A server without an issuer does not load the client of OpenID Connect.
  const { openIssuer } = await import("./oidc/issuer.ts");
  return openIssuer({ issuer, clientId, clientSecret, claims }, deps);
}

/** Opens the store that the configuration names. Ends the process if that fails. */
function open({ dataDir, storeSync }: Config, deps: Deps): Store | undefined {
  if (dataDir === undefined) return undefined;
  try {
    return openStore(dataDir, deps, storeSync);
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    deps.log.error("store.open_failed", { reason: error.message, hint: error.hint });
    process.exit(error.exitCode);
  }
}

/** Opens the keys beside those of the configuration. Ends the process if `KEYS_FILE` has mistakes. */
async function openKeysOf(
  config: Config,
  deps: Deps,
  local: StoredRecords | undefined,
  cluster: Pick<Cluster, "keys" | "tenants"> | undefined,
): Promise<OpenedKeys | undefined> {
  const { keysFile: path, maxRequestsPerKey: maxRequests } = config;
  const shared = cluster?.keys;
  if (path === undefined && !local && !shared) return undefined;
  const readFile = (name: string): string => readFileSync(resolve(dirname(path ?? ""), name), "utf8");
  const source =
    path === undefined
      ? undefined
      : {
          path,
          read: () => readFile(resolve(path)),
          stamp: () => fileStamp(path),
          secrets: { env: process.env, readFile },
        };
  const records = shared?.records ?? local?.keys();
  const tenantRecords = cluster?.tenants ?? local?.tenants();
  const opened = await openKeys({ source, records, shared, tenantRecords, maxRequests }, deps);
  if (!("faults" in opened)) return opened;
  process.stderr.write(`KEYS_FILE (${path}) is not valid:\n${opened.faults.map((fault) => `  - ${fault}\n`).join("")}`);
  process.exit(EXIT_CONFIG);
}

function warnIfOwnersForgotten(config: Config, log: Log): void {
  if (!forgetsOwners(config)) return;
  log.warn("server.owners_not_kept", {
    effect: "after a restart, a worker with another client key may take any worker's id and get what is sent to it",
    hint: "set DATA_DIR, or use a single client key",
  });
}

function warnIfOpen(config: Config, access: Access, log: Log): void {
  const open: string[] = [];
  if (access.isClientOpen) open.push("any client (set API_KEY)");
  if (access.isWorkerOpen) open.push("any worker (set CLIENT_KEY)");
  if (open.length === 0) return;
  log.warn("server.open", {
    open_to: open.join(" and "),
    reach: config.hostGiven
      ? `everyone who reaches ${config.host}`
      : "this machine only, until keys are set or HOST is given",
  });
}

function warnIfClientsOperate(config: Config, access: Access, log: Log): void {
  if (access.isClientOpen || access.hasAdmins) return;
  const isAnyListed = config.apiKeys.length > 0 || config.apiRoles.length > 0;
  log.warn("server.admin_key_not_set", {
    effect: isAnyListed
      ? "every client with an API key or role may see the dashboard, drain workers and cancel jobs"
      : "nobody may see the dashboard, drain workers or cancel jobs",
    hint: "set ADMIN_KEY, OIDC_ISSUER, or ADMIN_HTTP_ROLES behind a proxy that authenticates users",
  });
}

/** The most keys that a warning names. */
const MAX_NAMED = 20;

function warnOfWeakKeys(config: Config, log: Log): void {
  const names = weakKeys(config);
  if (names.length === 0) return;
  log.warn("server.weak_keys", {
    keys: names.slice(0, MAX_NAMED).join(","),
    count: names.length,
    hint: "a key of fewer than 128 bits can be guessed: make keys with `openssl rand -hex 16`; a comma separates two keys",
  });
}
