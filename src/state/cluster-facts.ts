import type { Pulse } from "../plugin/reports.ts";

/** The status of another server of the cluster, as this server sees it. */
export type PeerStatus =
  | "alive"
  /** It finishes its jobs and takes no more. */
  | "draining"
  /** It has been silent for a while, so it gets no more jobs from here. */
  | "suspect"
  /** It left, its link broke, or it has been silent for too long. */
  | "gone"
  /** It runs, but speaks no version of the cluster's protocol that this server speaks. */
  | "incompatible"
  /** It runs, but neither server can connect to the other, so its workers cannot be used from here. */
  | "unreachable";

/** How requests and answers travel between this server and a peer. */
export interface PeerLink {
  /** `direct`: a WebSocket. `bus`: a lane over NATS. `none`: they cannot be sent. */
  readonly way: "direct" | "bus" | "none";
  /** The round trip in milliseconds; undefined until it was measured. */
  readonly rttMs: number | undefined;
  /** Bytes since this server started, also those of links that have ended. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The address that this server dialled last. */
  readonly tried: string | undefined;
  /** Why the last attempt failed, in a few words; undefined after one that succeeded. */
  readonly failure: string | undefined;
}

/** What a server says about itself in each beat. */
export interface ServerLoad {
  /** The pulses of its plugins, with their ids. */
  readonly pulses: readonly PluginPulse[];
  readonly firstByte: FirstByte;
  /** How many problems it reports. */
  readonly problems: { readonly critical: number; readonly warning: number };
}

export interface PluginPulse {
  readonly id: string;
  readonly pulse: Pulse;
}

/** Milliseconds to the first byte of answers in the last minute; null where no answer began. */
export interface FirstByte {
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/** What is known of another server. Times are milliseconds since 1970 by this server's clock, unless they say otherwise. */
export interface PeerFacts {
  readonly id: string;
  /** Random for each start of the server, whose counters begin again with it. */
  readonly epoch: string;
  readonly region: string | undefined;
  readonly version: string;
  readonly status: PeerStatus;
  /** When the status began. */
  readonly since: number;
  /** Whether a peer that is gone had said goodbye. Without a goodbye, it is lost. */
  readonly saidGoodbye: boolean;
  /** The address for links that it announces, as host and port; undefined if it announces none. */
  readonly address: string | undefined;
  readonly link: PeerLink;
  /** When something was last heard from it. */
  readonly heardAt: number;
  /**
   * By how many milliseconds its clock is ahead of this one, less the time that a message takes; undefined until its first
   * beat.
   */
  readonly clockAheadMs: number | undefined;
  /** Whether its API and client keys are those of this server. */
  readonly hasSameKeys: boolean;
  /** The load of its last beat; undefined until one was heard. */
  readonly load: ServerLoad | undefined;
}

/** Sums since this server started. They never decrease. */
export interface ClusterCounts {
  /** Jobs of this server's clients that a worker of a peer took, and jobs of peers that a worker of this server took. */
  readonly jobsOut: number;
  readonly jobsIn: number;
  /**
   * Jobs that a peer refused because its slots were taken, and jobs of peers that this server refused for the same reason.
   */
  readonly refusedOut: number;
  readonly refusedIn: number;
  /** Free slots that this server offered to waiting jobs of peers, by how the offer ended. */
  readonly offers: Readonly<Record<"taken" | "declined" | "late" | "lost", number>>;
}

/** The cluster as one server sees it. */
export interface ClusterFacts {
  /** `CLUSTER_NAME`. */
  readonly name: string;
  /** `REGION`. */
  readonly region: string | undefined;
  /** The address for links that this server announces, as host and port. */
  readonly address: string | undefined;
  readonly bus: BusFacts;
  /** All other servers that are known, including those that left within the last minutes. */
  readonly peers: readonly PeerFacts[];
  /** Ids that two running servers use at the same time. */
  readonly sharedIds: readonly string[];
  readonly counts: ClusterCounts;
}

export interface BusFacts {
  readonly isUp: boolean;
  /** When it came up or went away, in milliseconds since 1970. */
  readonly since: number;
  /** Why it is away, in a few words. */
  readonly reason: string | undefined;
  /**
   * The machine of another running server that has this one's id, so that this one cannot join; undefined if there is none.
   */
  readonly idHeldOn: string | undefined;
  /** Host and port of the NATS server in use, or of the one that was tried last; never with credentials. */
  readonly address: string | undefined;
  /** Whether it keeps records in JetStream; undefined until that is known. */
  readonly hasRecords: boolean | undefined;
  /** What NATS has refused because the user lacks the permission, each as `publish <subject>` or `subscription <subject>`. */
  readonly forbidden: readonly string[];
}

/** What this server knows of its cluster. A server without a cluster has none. */
export interface ClusterReports {
  /** Returns what is known now. MUST come from memory, since it is called every second and for each request of the state. */
  facts(): ClusterFacts;
  /** Calls `listener` with the id of each peer whose beat has arrived, after `facts` shows it. */
  onBeat(listener: (peerId: string) => void): void;
}

/** What this server shows its peers about itself. */
export interface OwnState {
  /** Returns the load for a beat. It is called once a second. */
  load(): ServerLoad;
  /** MUST change whenever `write` would return something else, apart from clocks. */
  revision(): string;
  /** Returns the whole state as one JSON object, for a peer whose viewers look at it. */
  write(): string;
}

/** The newest state that a peer has sent. */
export interface PeerText {
  /** One JSON object, as the peer wrote it. */
  readonly text: string;
  /** Grows with every text of this peer. */
  readonly number: number;
  /** `Clock.now` when the peer was last known to have nothing newer. */
  readonly confirmedAt: number;
}

/** A peer that is being followed. */
export interface FollowedPeer {
  /** Returns the newest text; undefined until one has arrived. */
  latest(): PeerText | undefined;
  /** Resolves with a text that was confirmed since the following began; with undefined when `ms` have passed without one. */
  next(ms: number): Promise<PeerText | undefined>;
  /** Stops asking. A peer that nobody follows sends nothing. */
  close(): void;
}

/** Carries the states of servers to the servers whose viewers look at them. */
export interface PeerStates {
  /** Sets what beats say about the load, and what peers get that ask for the state. Called once. */
  offer(own: OwnState): void;
  /** Asks a peer for its state until the result is closed. Several may follow one peer; it sends its state once. */
  follow(peerId: string): FollowedPeer;
}

/** The parts of a cluster that operators look at. */
export interface ClusterSights {
  readonly reports: ClusterReports;
  readonly states: PeerStates;
}
