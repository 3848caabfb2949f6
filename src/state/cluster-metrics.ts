import type { Metrics } from "../figures/metrics.ts";
import type { Reading } from "../figures/read-counter.ts";
import type { Clock } from "../system/deps.ts";
import type { ClusterReports, PeerFacts, PeerLink } from "./cluster-facts.ts";
import { isLost } from "./cluster-state.ts";

export interface ClusterMetricsOptions {
  readonly metrics: Metrics;
  readonly reports: ClusterReports;
  readonly clock: Clock;
  /** What this server knows of created keys; undefined for a server that knows none. */
  readonly keys: () => KeysState | undefined;
  /** Whether peers may be named: only where strangers cannot read the metrics. */
  readonly withPeers: boolean;
}

const KEYS_STATES = ["current", "own", "away", "stale"] as const;
/**
 * `current`: the server hears of each change. `own`: NATS keeps none, so the server has keys of its own. `away`: it hears of no
 * change, and accepts them as last known. `stale`: it does so no longer.
 */
export type KeysState = (typeof KEYS_STATES)[number];
const STATES = ["alive", "draining", "suspect", "lost", "incompatible", "unreachable"] as const;
const WAYS: readonly PeerLink["way"][] = ["direct", "bus", "none"];

/** Registers the metrics of a cluster. Each server reports its own view, its own jobs and its own ends of links. */
export function registerClusterMetrics({ metrics, reports, clock, keys, withPeers }: ClusterMetricsOptions): void {
  metrics.gauge("moorage_cluster_bus_up", "1 while NATS can be reached.", [], () => [
    { labels: {}, value: reports.facts().bus.isUp ? 1 : 0 },
  ]);
  metrics.gauge(
    "moorage_cluster_keys",
    "What this server knows of created keys: 1 for its state, else 0.",
    ["state"],
    () => {
      const state = keys();
      return counted("state", KEYS_STATES, state === undefined ? [] : [state]);
    },
  );
  metrics.gauge("moorage_cluster_peers", "Other servers of the cluster, by their state.", ["state"], () =>
    counted("state", STATES, reports.facts().peers.flatMap(stateOf)),
  );
  metrics.gauge("moorage_cluster_links", "Peers that are not gone, by how requests reach them.", ["way"], () =>
    counted(
      "way",
      WAYS,
      reports.facts().peers.flatMap(({ status, link }) => (status === "gone" ? [] : link.way)),
    ),
  );
  metrics.total(
    "moorage_cluster_jobs_total",
    "Jobs that left for a worker of a peer (out), and jobs of peers that a worker here took (in).",
    ["direction"],
    () => {
      const { jobsIn, jobsOut } = reports.facts().counts;
      return inAndOut(jobsIn, jobsOut);
    },
  );
  metrics.total(
    "moorage_cluster_refusals_total",
    "Jobs that a peer refused because its slots were taken (out), and jobs of peers refused here for the same reason (in).",
    ["direction"],
    () => {
      const { refusedIn, refusedOut } = reports.facts().counts;
      return inAndOut(refusedIn, refusedOut);
    },
  );
  metrics.total("moorage_cluster_offers_total", "Free slots offered to waiting jobs of peers.", ["outcome"], () =>
    Object.entries(reports.facts().counts.offers).map(([outcome, value]) => ({ labels: { outcome }, value })),
  );
  if (withPeers) registerPeers(metrics, reports, clock);
}

function registerPeers(metrics: Metrics, reports: ClusterReports, clock: Clock): void {
  const running = (): readonly PeerFacts[] => reports.facts().peers.filter(({ status }) => status !== "gone");
  metrics.gauge("moorage_cluster_link_rtt_seconds", "Round trip over the link to a peer.", ["peer"], () =>
    running().flatMap(({ id, link }) =>
      link.rttMs === undefined ? [] : { labels: { peer: id }, value: link.rttMs / 1000 },
    ),
  );
  metrics.gauge("moorage_cluster_gossip_age_seconds", "Time since something was heard from a peer.", ["peer"], () =>
    running().map(({ id, heardAt }) => ({ labels: { peer: id }, value: Math.max(0, clock.now() - heardAt) / 1000 })),
  );
  metrics.total(
    "moorage_cluster_link_bytes_total",
    "Bytes over the links to a peer, as this server has sent (out) and received (in) them.",
    ["peer", "direction"],
    () =>
      reports.facts().peers.flatMap(({ id, link }) => [
        { labels: { peer: id, direction: "in" }, value: link.bytesIn },
        { labels: { peer: id, direction: "out" }, value: link.bytesOut },
      ]),
  );
}

/** A peer that said goodbye is not there any more; one that did not is missed. */
function stateOf(peer: PeerFacts): (typeof STATES)[number] | [] {
  if (peer.status === "gone") return isLost(peer) ? "lost" : [];
  return peer.status;
}

function counted(label: string, names: readonly string[], found: readonly string[]): readonly Reading[] {
  return names.map((name) => ({ labels: { [label]: name }, value: found.filter((each) => each === name).length }));
}

function inAndOut(inward: number, outward: number): readonly Reading[] {
  return [
    { labels: { direction: "in" }, value: inward },
    { labels: { direction: "out" }, value: outward },
  ];
}
