import type { Config } from "../config.ts";
import type { ClusterPorts } from "../plugin/cluster.ts";
import type { ClusterSights } from "../state/cluster-facts.ts";
import type { Deps } from "../system/deps.ts";
import type { Bus } from "./bus.ts";
import { ClusterCalls } from "./calls.ts";
import { LaneHub } from "./lane-hub.ts";
import type { LinkContact } from "./link-auth.ts";
import { Links } from "./links.ts";
import type { NatsBus } from "./nats/nats-bus.ts";
import { ownAddress } from "./own-address.ts";
import type { LocalRecords } from "./records/cluster-records.ts";
import type { RecordKeeper } from "./records/record-keeper.ts";
import { SocketTransport } from "./socket-transport.ts";
import { createSubjects } from "./subjects.ts";

export interface ClusterOptions {
  readonly config: Pick<
    Config,
    "serverId" | "clusterName" | "clusterListener" | "clusterAddress" | "windowBytes" | "confirmTimeoutMs"
  >;
  readonly deps: Deps;
  /** Belongs to the cluster from here on, which closes it. */
  readonly bus: Bus & { close(): Promise<void> };
  /** The connection below the bus, for what is shown of it. */
  readonly nats: Pick<NatsBus, "address" | "forbidden">;
  /** What all servers agree on. */
  readonly records: LocalRecords;
  /** Ends with the cluster. */
  readonly keeper: RecordKeeper;
  /** Of this start of the server: no other start has the same. */
  readonly epoch: string;
  /** The private address of this machine; undefined if it has none. */
  readonly privateAddress: string | undefined;
}

/** What is known of other servers before anything tells of them. */
const NOBODY: Omit<ClusterPorts, "serverId" | "calls" | "exchanges"> = {
  members: { ids: () => [], isAnyReady: () => false, onCame: () => {}, onGone: () => {} },
  workersOf: () => ({ serverOf: () => undefined, leftAgoMs: () => undefined, onMoved: () => {} }),
};

/** This server as a member of a cluster: everything that it has in common with the other servers. */
export class Cluster {
  /** For the plugins. */
  readonly ports: ClusterPorts;
  /** For the dashboard and the metrics. */
  readonly sights: ClusterSights | undefined = undefined;
  /** The ways on which bodies go to peers. Gossip tells them where the peers are. */
  readonly links: Links;
  /** What peers must know to dial this server, for gossip to tell. */
  readonly contact: LinkContact;
  /** What must survive a restart. */
  readonly records: LocalRecords;
  readonly #keeper: RecordKeeper;
  readonly #bus: ClusterOptions["bus"];
  readonly #calls: ClusterCalls;
  readonly #lanes: LaneHub;

  /** Throws if the address for links cannot be used. */
  constructor({ config, deps, bus, epoch, privateAddress, records, keeper }: ClusterOptions) {
    const { serverId, windowBytes, confirmTimeoutMs, clusterListener: listener, clusterAddress: address } = config;
    const log = deps.log.with({ cluster: config.clusterName });
    const subjects = createSubjects(config.clusterName);
    const self = { id: serverId, epoch };
    this.#bus = bus;
    this.records = records;
    this.#keeper = keeper;
    this.#calls = new ClusterCalls({ serverId, subjects, bus, log });
    this.#lanes = new LaneHub({ self, bus, subject: subjects.lane, clock: deps.clock });
    this.links = new Links({
      self,
      deps: { ...deps, log },
      transport: new SocketTransport(deps.clock),
      lanes: this.#lanes,
      windowBytes,
      confirmTimeoutMs,
      random: Math.random,
    });
    const own = ownAddress({ listener, address, privateAddress });
    this.contact = this.links.listen({ host: own.host, port: listener.port }, own.told);
    const { links } = this;
    this.ports = {
      serverId,
      calls: this.#calls,
      exchanges: {
        sessionTo: (id) => links.linkTo(id)?.session,
        onChange: (onChanged) => links.onChange(({ peerId }) => onChanged(peerId)),
        serve: (kind, handler) => links.serve(kind, handler),
      },
      ...NOBODY,
    };
  }

  /** Ends everything that the cluster has begun. Resolves when what was sent before has left. */
  async close(): Promise<void> {
    this.#calls.close();
    this.links.close("the server stops");
    this.#lanes.close();
    await this.#keeper.close();
    await this.#bus.close();
  }
}
