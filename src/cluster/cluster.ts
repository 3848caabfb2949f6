import type { Config } from "../config.ts";
import type { ClusterPorts } from "../plugin/cluster.ts";
import type { ClusterSights } from "../state/cluster-facts.ts";
import type { Deps } from "../system/deps.ts";
import type { Bus } from "./bus.ts";
import { ClusterCalls } from "./calls.ts";
import { createSubjects } from "./subjects.ts";

export interface ClusterOptions {
  readonly config: Pick<Config, "serverId" | "clusterName">;
  readonly deps: Deps;
  /** Belongs to the cluster from here on, which closes it. */
  readonly bus: Bus & { close(): Promise<void> };
  /** Of this start of the server: no other start has the same. */
  readonly epoch: string;
}

/** What is known of other servers before anything tells of them. */
const NOBODY: Omit<ClusterPorts, "serverId" | "calls"> = {
  members: { ids: () => [], onCame: () => {}, onGone: () => {} },
  exchanges: { sessionTo: () => undefined, onChange: () => {}, serve: () => {} },
  workersOf: () => ({ serverOf: () => undefined, leftAgoMs: () => undefined, onMoved: () => {} }),
};

/** This server as a member of a cluster: everything that it has in common with the other servers. */
export class Cluster {
  /** For the plugins. */
  readonly ports: ClusterPorts;
  /** For the dashboard and the metrics. */
  readonly sights: ClusterSights | undefined = undefined;
  readonly #bus: ClusterOptions["bus"];
  readonly #calls: ClusterCalls;

  constructor({ config, deps, bus }: ClusterOptions) {
    const { serverId } = config;
    const log = deps.log.with({ cluster: config.clusterName });
    this.#bus = bus;
    this.#calls = new ClusterCalls({ serverId, subjects: createSubjects(config.clusterName), bus, log });
    this.ports = { serverId, calls: this.#calls, ...NOBODY };
  }

  /** Ends everything that the cluster has begun. Resolves when what was sent before has left. */
  async close(): Promise<void> {
    this.#calls.close();
    await this.#bus.close();
  }
}
