import { configuredKeys } from "../../src/auth/keys.ts";
import { Cluster } from "../../src/cluster/cluster.ts";
import type { LocalRecords } from "../../src/cluster/records/cluster-records.ts";
import type { OpenedKeys } from "../../src/keys/open-keys.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { systemClock } from "../../src/system/clock.ts";
import type { Deps } from "../../src/system/deps.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import { type Config, defaultConfig } from "./default-config.ts";
import { eventually } from "./eventually.ts";
import { type MemoryBus, MemoryNetwork } from "./memory-bus.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "./test-server.ts";

/** The servers of tests keep nothing. */
const NO_RECORDS: LocalRecords = {
  owners: () => ({ load: () => [], save: () => {}, remove: () => {} }),
  restrictions: () => ({ load: () => [], save: () => {}, remove: () => {} }),
  signOuts: () => ({ load: () => [], save: () => {}, remove: () => {} }),
  secret: { current: () => undefined },
  areFailing: () => false,
};

/** A server of a cluster in this process. */
export interface ClusterMember {
  readonly id: string;
  readonly server: TestServer;
  readonly cluster: Cluster;
  readonly bus: MemoryBus;
}

/** Whole servers in one process that are one cluster: over a bus in memory, and over links on real sockets. */
export class ServerCluster {
  readonly network = new MemoryNetwork(systemClock);
  readonly members: ClusterMember[] = [];
  #starts = 0;

  /** Starts servers of these ids, which know each other when this resolves. All of them have the same made keys. */
  static async start(
    ids: readonly string[],
    overrides: Partial<Config> = {},
    deps: Partial<Deps> = {},
    keys?: OpenedKeys,
  ) {
    const all = new ServerCluster();
    for (const id of ids) all.add(id, overrides, deps, keys);
    await all.settled();
    return all;
  }

  /** Starts one more server. */
  add(id: string, overrides: Partial<Config> = {}, deps: Partial<Deps> = {}, keys?: OpenedKeys): ClusterMember {
    const own = {
      serverId: id,
      clusterListener: { host: "127.0.0.1", port: 0 },
      apiKeys: [API_KEY],
      clientKeys: [CLIENT_KEY],
      startGraceMs: 0,
      ...overrides,
    };
    this.#starts += 1;
    const bus = this.network.join(id);
    const cluster = new Cluster({
      config: defaultConfig(own, KNOWN_PLUGINS),
      deps: { clock: systemClock, ids: systemIds, log: silentLog, ...deps },
      bus,
      epoch: `${Date.now().toString(36)}-${this.#starts}`,
      nats: { address: "memory", forbidden: [] },
      records: NO_RECORDS,
      keeper: { hasRecords: undefined, close: async () => {} },
      privateAddress: undefined,
    });
    const server = new TestServer(own, deps, KNOWN_PLUGINS, configuredKeys, cluster, keys);
    const member = { id, server, cluster, bus };
    this.members.push(member);
    return member;
  }

  /** Resolves when every server has a link to each other one and knows what it has. */
  async settled(): Promise<void> {
    const isSettled = (): boolean =>
      this.members.every(({ id, cluster }) =>
        this.members.every((other) => other.id === id || cluster.ports.exchanges.sessionTo(other.id) !== undefined),
      ) && this.members.every(({ cluster }) => cluster.presence.isSettled);
    await eventually(isSettled);
  }

  at(id: string): ClusterMember {
    const member = this.members.find((each) => each.id === id);
    if (!member) throw new Error(`no server ${id}`);
    return member;
  }

  /** Resolves when a server knows that peers serve a model. */
  async knows(id: string, model: string): Promise<void> {
    await eventually(async () => {
      const listed = (await (await this.at(id).server.fetch("/v1/models")).json()) as { data: { id: string }[] }; // the shape is tested elsewhere
      return listed.data.some((each) => each.id === model);
    });
  }

  /** Stops a server, whose id may then be used again. */
  async leave(id: string): Promise<void> {
    const member = this.at(id);
    this.members.splice(this.members.indexOf(member), 1);
    await stop(member);
  }

  async stop(): Promise<void> {
    for (const member of this.members) await stop(member);
  }
}

async function stop({ server, cluster }: ClusterMember): Promise<void> {
  await server.stop();
  await cluster.close();
}
