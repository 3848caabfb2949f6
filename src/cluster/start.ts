import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import type { Config } from "../config.ts";
import type { KeyRecords } from "../keys/key-records.ts";
import type { TenantRecords } from "../keys/tenant-records.ts";
import type { Deps } from "../system/deps.ts";
import { ClaimedBus } from "./claimed-bus.ts";
import { Cluster } from "./cluster.ts";
import { findPrivateAddress } from "./links/own-address.ts";
import { createBucketOpener } from "./nats/kv-bucket.ts";
import { NatsBus } from "./nats/nats-bus.ts";
import { ClusterKeys } from "./records/cluster-keys.ts";
import { createClusterOAuth } from "./records/cluster-oauth.ts";
import { createClusterRecords, type LocalRecords } from "./records/cluster-records.ts";
import { createClusterTenants } from "./records/cluster-tenants.ts";
import { RecordKeeper } from "./records/record-keeper.ts";
import { RecordTable } from "./records/record-table.ts";
import { createSubjects } from "./subjects.ts";

/** Milliseconds for which the start waits for NATS. After that the server starts alone and joins later. */
const CONNECT_MS = 2000;
/** The same for the records of the cluster. */
const LOAD_MS = 2000;

/** How often the start checks whether it can continue. */
const CHECK_MS = 5;

/** Exit codes from `sysexits.h`: the next start may succeed; a restart cannot help until somebody changes something. */
const EXIT = { temporary: 75, configuration: 78 } as const;

/** The environment of the process. Only the address that Fly.io gives a machine is read here. */
type Environment = Readonly<Record<string, string | undefined>>;

/** The outcome of a start. A refused one ends the process. */
export type ClusterStart =
  | { readonly kind: "started"; readonly cluster: Cluster }
  | { readonly kind: "refused"; readonly reason: string; readonly hint: string; readonly exitCode: number };

/**
 * Joins the cluster that the configuration names. A server that cannot reach NATS starts anyway and keeps trying. A server is
 * refused if another running one has its id. `local` has the records that this server keeps by itself.
 */
export async function startCluster(
  config: Config,
  deps: Deps,
  env: Environment,
  local?: LocalRecords & { keys(): KeyRecords; tenants(): TenantRecords },
): Promise<ClusterStart> {
  const { serverId, clusterName, natsCredentials, natsAuthority } = config;
  for (const [variable, path] of [
    ["NATS_CREDS", natsCredentials],
    ["NATS_CA", natsAuthority],
  ] as const) {
    const reason = path === undefined ? undefined : unreadable(path);
    if (reason !== undefined)
      return {
        kind: "refused",
        reason: `the file that ${variable} names cannot be read (${reason})`,
        hint: `name a file in ${variable} that the server's user may read`,
        exitCode: EXIT.configuration,
      };
  }
  const log = deps.log.with({ cluster: clusterName });
  const nats = new NatsBus({
    servers: config.natsServers,
    name: `moorage ${serverId}`,
    inboxPrefix: `_INBOX_moorage.${clusterName}`,
    readCredentials: natsCredentials === undefined ? undefined : () => readFileSync(natsCredentials, "utf8"),
    readAuthority: natsAuthority === undefined ? undefined : () => readFileSync(natsAuthority, "utf8"),
    clock: deps.clock,
    log,
  });
  const epoch = createEpoch(deps.clock.now());
  const subject = createSubjects(clusterName).id(serverId);
  const bus = new ClaimedBus({ bus: nats, subject, epoch, host: hostname(), clock: deps.clock, log });
  await until(() => bus.state.kind === "up" || bus.holder !== undefined, CONNECT_MS, deps);
  if (bus.holder !== undefined) {
    const { holder } = bus;
    await bus.close();
    return {
      kind: "refused",
      reason: `another server of the cluster ${clusterName}, on ${holder}, is called ${serverId} and is running`,
      hint: "set SERVER_ID to a name that no other server of the cluster has",
      exitCode: EXIT.temporary,
    };
  }
  const table = new RecordTable();
  const records = createClusterRecords({ table, serverId, plugins: config.plugins, local });
  const tenants = createClusterTenants({ table, local: local?.tenants(), log });
  const keeper = new RecordKeeper({
    table,
    bus: nats,
    open: createBucketOpener({
      connection: () => nats.connection,
      name: `moorage_${clusterName}`,
      clock: deps.clock,
    }),
    clock: deps.clock,
    log,
  });
  const oauth = createClusterOAuth({ table, reach: keeper, now: () => deps.clock.now() });
  const keys = new ClusterKeys({
    table,
    local: local?.keys(),
    staleMs: config.keysStaleMs,
    reach: keeper,
    clock: deps.clock,
    log,
  });
  if (bus.state.kind === "down")
    log.warn("cluster.alone", {
      nats: nats.address,
      reason: bus.state.reason,
      effect: "this server works alone until it reaches NATS, and keeps trying",
    });
  else await until(() => table.hasLoaded || keeper.hasRecords === false, LOAD_MS, deps);
  const privateAddress = findPrivateAddress(env, networkInterfaces());
  try {
    return {
      kind: "started",
      cluster: new Cluster({ config, deps, bus, nats, epoch, privateAddress, records, keys, tenants, oauth, keeper }),
    };
  } catch (error) {
    // The listener for links throws the error of the system.
    await keeper.close();
    await bus.close();
    const { host = privateAddress, port } = config.clusterListener;
    return {
      kind: "refused",
      reason: `links of other servers cannot be accepted on ${host} port ${port}: ${error instanceof Error ? error.message : error}`,
      hint: "set CLUSTER_LISTEN to another port, or to an address of this machine that the other servers reach",
      exitCode: EXIT.temporary,
    };
  }
}

/** Creates the epoch of one run of a server. Later runs have greater epochs, as far as clocks agree. */
function createEpoch(now: number): string {
  return `${now.toString(36).padStart(9, "0")}-${randomBytes(6).toString("hex")}`;
}

/** Resolves when the condition holds, or after `ms`. */
function until(condition: () => boolean, ms: number, { clock }: Deps): Promise<void> {
  if (condition()) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      cancelLate();
      resolve();
    };
    const cancel = clock.every(CHECK_MS, () => condition() && end());
    const cancelLate = clock.after(ms, end);
  });
}

function unreadable(path: string): string | undefined {
  try {
    readFileSync(path);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
  }
}
