import type { BusFacts, ClusterFacts, PeerFacts, PeerStatus } from "./cluster-facts.ts";
import { COLUMNS, type Sample } from "./history.ts";
import type { PoolState } from "./overview-totals.ts";

/** The cluster in the State API, as the answering server sees it. Times are RFC 3339. */
export interface ClusterState {
  /** `CLUSTER_NAME`. */
  readonly name: string;
  /** `SERVER_ID` of the server that answers. */
  readonly id: string;
  readonly bus: BusState;
  /** Servers that left without a goodbye and have not come back. They leave the list after some minutes. */
  readonly peers_lost: number;
  /** Whether NATS can be reached, and every server of the list works with this one and has the same keys. */
  readonly is_whole: boolean;
  /** All servers by their ids, with the one that answers. */
  readonly servers: readonly ServerRow[];
  /** The sums of the last second over all servers that run; the times to the first byte are those of the slowest server. */
  readonly sample: Sample;
  /** The pools of all servers that run, added up by plugin. */
  readonly pools: readonly PoolState[];
}

export interface BusState {
  readonly state: "up" | "away";
  readonly since: string;
  readonly reason: string | null;
  /** Host and port of the NATS server. */
  readonly address: string | null;
  /** Whether NATS keeps records with JetStream; null until that is known. */
  readonly records: boolean | null;
}

/** One server of the cluster. Members that only a peer has are null for the server that answers. */
export interface ServerRow {
  readonly id: string;
  readonly region: string | null;
  readonly version: string;
  readonly state: PeerStatus;
  /** When the state began. */
  readonly since: string;
  /** Whether it is gone without a goodbye. */
  readonly is_lost: boolean;
  readonly address: string | null;
  readonly link: "direct" | "bus" | "none" | null;
  /** The address that was dialled last, and why that failed; null while the link works. */
  readonly link_problem: { readonly address: string | null; readonly reason: string } | null;
  readonly rtt_ms: number | null;
  readonly gossip_age_ms: number | null;
  readonly clock_ahead_ms: number | null;
  readonly workers: number;
  readonly slots: number;
  readonly busy: number;
  readonly waiting: number;
  /** The problems that it reports itself, by severity; null until a beat was heard. */
  readonly problems: { readonly critical: number; readonly warning: number } | null;
  /** Its last second; null until a beat was heard. */
  readonly sample: Sample | null;
  readonly pools: readonly PoolState[];
}

/** What this server adds to the cluster. */
export interface OwnRow {
  readonly id: string;
  readonly version: string;
  readonly isDraining: boolean;
  /** When it started, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly sample: Sample;
  readonly pools: readonly PoolState[];
  readonly problems: { readonly critical: number; readonly warning: number };
}

/** The last second of a peer, as computed from its beats. */
export interface PeerSecond {
  readonly sample: Sample;
  readonly pools: readonly PoolState[];
}

/** Describes the cluster. `second` returns what a peer's beats told; `now` is in milliseconds since 1970. Pure. */
export function toClusterState(
  facts: ClusterFacts,
  own: OwnRow,
  second: (peerId: string) => PeerSecond | undefined,
  now: number,
): ClusterState {
  const servers = [toOwnRow(facts, own), ...facts.peers.map((peer) => toPeerRow(peer, second(peer.id), now))];
  const running = servers.filter(({ state }) => state !== "gone");
  return {
    name: facts.name,
    id: own.id,
    bus: toBusState(facts.bus),
    peers_lost: servers.filter((each) => each.is_lost).length,
    is_whole:
      facts.bus.isUp &&
      facts.peers.every(({ status, hasSameKeys }) => status === "gone" || hasSameKeys) &&
      servers.every(({ state, is_lost }) => (state === "gone" ? !is_lost : isWorking(state))),
    servers: servers.sort((a, b) => (a.id < b.id ? -1 : 1)),
    sample: sumOfSamples(running.flatMap(({ sample }) => sample ?? [])) ?? own.sample,
    pools: sumOfPools(running.flatMap(({ pools }) => pools)),
  };
}

function isWorking(state: PeerStatus): boolean {
  return state === "alive" || state === "draining";
}

function toOwnRow({ region, address }: ClusterFacts, own: OwnRow): ServerRow {
  return {
    id: own.id,
    region: region ?? null,
    version: own.version,
    state: own.isDraining ? "draining" : "alive",
    since: rfc3339(own.startedAt),
    is_lost: false,
    address: address ?? null,
    link: null,
    link_problem: null,
    rtt_ms: null,
    gossip_age_ms: null,
    clock_ahead_ms: null,
    ...figuresOf(own),
    problems: own.problems,
  };
}

function toPeerRow(peer: PeerFacts, second: PeerSecond | undefined, now: number): ServerRow {
  const { link, load } = peer;
  return {
    id: peer.id,
    region: peer.region ?? null,
    version: peer.version,
    state: peer.status,
    since: rfc3339(peer.since),
    is_lost: isLost(peer),
    address: peer.address ?? null,
    link: link.way,
    link_problem: link.failure === undefined ? null : { address: link.tried ?? null, reason: link.failure },
    rtt_ms: link.rttMs === undefined ? null : Math.round(link.rttMs * 100) / 100,
    gossip_age_ms: Math.max(0, Math.round(now - peer.heardAt)),
    clock_ahead_ms: peer.clockAheadMs === undefined ? null : Math.round(peer.clockAheadMs),
    ...figuresOf(second),
    problems: load?.problems ?? null,
  };
}

/** Whether a peer's workers can be used from here. */
export function isUsable({ status, link }: PeerFacts): boolean {
  return status === "alive" && link.way !== "none";
}

/** Whether a peer left without a goodbye. */
export function isLost({ status, saidGoodbye }: PeerFacts): boolean {
  return status === "gone" && !saidGoodbye;
}

function figuresOf(second: PeerSecond | undefined) {
  const sample = second?.sample ?? null;
  const pools = second?.pools ?? [];
  return {
    workers:
      sample === null
        ? 0
        : sample.workers_idle + sample.workers_working + sample.workers_not_ready + sample.workers_draining,
    slots: sample?.slots_total ?? 0,
    busy: sample?.slots_used ?? 0,
    waiting: sample?.waiting ?? 0,
    sample,
    pools,
  };
}

function toBusState({ isUp, since, reason, address, hasRecords }: BusFacts): BusState {
  return {
    state: isUp ? "up" : "away",
    since: rfc3339(since),
    reason: reason ?? null,
    address: address ?? null,
    records: hasRecords ?? null,
  };
}

/** The columns that are not sums. */
const OWN_COLUMNS: ReadonlySet<string> = new Set(["at", "first_byte_p50_ms", "first_byte_p95_ms"]);

/** Adds up the samples of several servers. Times are the latest of them; undefined without samples. */
export function sumOfSamples(samples: readonly Sample[]): Sample | undefined {
  const [first] = samples;
  if (!first) return undefined;
  const sums: Record<string, number | null> = {};
  for (const column of COLUMNS) {
    const values = samples.flatMap((sample) => sample[column] ?? []);
    if (!OWN_COLUMNS.has(column)) sums[column] = values.reduce((sum, value) => sum + value, 0);
    else sums[column] = values.length === 0 ? null : Math.max(...values);
  }
  return sums as unknown as Sample; // COLUMNS has every column of a sample, as its type says
}

function sumOfPools(pools: readonly PoolState[]): readonly PoolState[] {
  const sums = new Map<string, PoolState>();
  for (const pool of pools) {
    const before = sums.get(pool.plugin);
    if (before) {
      sums.set(pool.plugin, {
        plugin: pool.plugin,
        slots_used: before.slots_used + pool.slots_used,
        slots_total: before.slots_total + pool.slots_total,
        waiting: before.waiting + pool.waiting,
        queue_capacity: before.queue_capacity + pool.queue_capacity,
        workers: {
          idle: before.workers.idle + pool.workers.idle,
          working: before.workers.working + pool.workers.working,
          not_ready: before.workers.not_ready + pool.workers.not_ready,
          draining: before.workers.draining + pool.workers.draining,
        },
        tokens_per_s: Math.round((before.tokens_per_s + pool.tokens_per_s) * 10) / 10,
        tokens_estimated: before.tokens_estimated || pool.tokens_estimated,
      });
    } else sums.set(pool.plugin, pool);
  }
  return [...sums.values()];
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
