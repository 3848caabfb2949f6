import type {
  BusFacts,
  ClusterCounts,
  ClusterFacts,
  ClusterReports,
  PeerFacts,
  PeerLink,
  PeerStatus,
  ServerLoad,
} from "../../state/cluster-facts.ts";
import type { Clock } from "../../system/deps.ts";
import type { Bus } from "../bus.ts";
import type { Link, LinkState } from "../links/link.ts";
import type { JobCounts } from "../pools/job-counts.ts";

/** What operators are shown of another server. */
export interface SeenPeer {
  readonly id: string;
  readonly epoch: string;
  readonly status: PeerStatus;
  /** Wall time at which the status began. */
  readonly since: number;
  /** Wall time of the last message from it. */
  readonly heardAtWall: number;
  readonly clockAheadMs: number | undefined;
  readonly saidGoodbye: boolean;
  readonly link: Link | undefined;
  /** What it said in its last beat. */
  readonly greeting: {
    readonly version: string;
    readonly region?: string | undefined;
    readonly address?: string | undefined;
    readonly keys: string;
    readonly load?: ServerLoad | undefined;
  };
}

/** The other servers, as operators are shown them. */
export interface SeenPeers {
  all(): Iterable<SeenPeer>;
  readonly sharedIds: readonly string[];
  onBeat(listener: (peer: SeenPeer) => void): void;
}

export interface ClusterStateOptions {
  /** `CLUSTER_NAME`. */
  readonly name: string;
  readonly region: string | undefined;
  /** The address for links that this server announces. */
  readonly address: () => string | undefined;
  readonly bus: Bus & { readonly holder?: string | undefined };
  /** The NATS server in use, or the one that was tried last. */
  readonly busAddress: () => string | undefined;
  /** Whether NATS keeps records; undefined until that is known. */
  readonly hasRecords: () => boolean | undefined;
  /** The permissions that the NATS user lacks, as NATS has reported them. */
  readonly forbidden: () => readonly string[];
  /** A digest of this server's keys, as beats tell it. */
  readonly keys: () => string;
  readonly peers: SeenPeers;
  readonly jobs: JobCounts;
  /** Free slots offered to peers, by how the offers ended. */
  readonly offers: () => ClusterCounts["offers"];
  readonly clock: Clock;
}

/** Reports on the cluster to operators: combines what gossip, links and the bus know. */
export class ClusterReport implements ClusterReports {
  readonly #options: ClusterStateOptions;
  #busSince: number;

  constructor(options: ClusterStateOptions) {
    const { bus, clock } = options;
    this.#options = options;
    this.#busSince = clock.now();
    bus.onState(() => {
      this.#busSince = clock.now();
    });
  }

  facts(): ClusterFacts {
    const { name, region, address, peers, jobs, offers, keys } = this.#options;
    const { jobsIn, jobsOut, refusedIn, refusedOut } = jobs;
    const ownKeys = keys();
    return {
      name,
      region,
      address: address(),
      bus: this.#bus(),
      peers: [...peers.all()].map((peer) => toFacts(peer, ownKeys)),
      sharedIds: peers.sharedIds,
      counts: { jobsIn, jobsOut, refusedIn, refusedOut, offers: offers() },
    };
  }

  onBeat(listener: (peerId: string) => void): void {
    this.#options.peers.onBeat(({ id }) => listener(id));
  }

  #bus(): BusFacts {
    const { bus, busAddress, hasRecords, forbidden } = this.#options;
    const { state } = bus;
    return {
      isUp: state.kind === "up",
      since: this.#busSince,
      reason: state.kind === "down" ? state.reason : undefined,
      idHeldOn: bus.holder,
      address: busAddress(),
      hasRecords: hasRecords(),
      forbidden: forbidden(),
    };
  }
}

const WAYS: Readonly<Record<LinkState, PeerLink["way"]>> = {
  direct: "direct",
  lane: "bus",
  connecting: "none",
  unreachable: "none",
};

function toFacts(peer: SeenPeer, ownKeys: string): PeerFacts {
  const { greeting } = peer;
  return {
    id: peer.id,
    epoch: peer.epoch,
    region: greeting.region,
    version: greeting.version,
    status: peer.status,
    since: peer.since,
    saidGoodbye: peer.saidGoodbye,
    address: greeting.address,
    link: toLink(peer.link),
    heardAt: peer.heardAtWall,
    clockAheadMs: peer.clockAheadMs,
    hasSameKeys: greeting.keys === ownKeys,
    load: greeting.load,
  };
}

function toLink(link: Link | undefined): PeerLink {
  return {
    way: link ? WAYS[link.state] : "none",
    rttMs: link?.rttMs,
    bytesIn: link?.traffic.bytesIn ?? 0,
    bytesOut: link?.traffic.bytesOut ?? 0,
    tried: link?.dialled,
    // A failure before the link was established no longer matters.
    failure: link?.state === "direct" ? undefined : link?.dialError,
  };
}
