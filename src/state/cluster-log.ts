import type { Log, LogFields } from "../system/deps.ts";
import type { ClusterFacts, PeerFacts } from "./cluster-facts.ts";
import { isLost } from "./cluster-state.ts";

/** One line for the log. */
export interface Change {
  readonly level: "info" | "warn";
  readonly event: string;
  readonly fields: LogFields;
}

/** Writes a line for each change of a peer or of the bus, once each. */
export class ClusterLog {
  readonly #log: Log;
  #before: ClusterFacts | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Compares what is known with what was known at the last call. */
  note(facts: ClusterFacts): void {
    for (const { level, event, fields } of changesBetween(this.#before, facts)) this.#log[level](event, fields);
    this.#before = facts;
  }
}

/** Lists what has changed between two moments. Pure. */
export function changesBetween(before: ClusterFacts | undefined, now: ClusterFacts): readonly Change[] {
  const known = new Map(before?.peers.map((peer) => [peer.id, peer]));
  return [
    ...busChange(before, now),
    ...now.peers.flatMap((peer) => {
      const earlier = known.get(peer.id);
      return [...statusChange(earlier, peer), ...keyChange(earlier, peer), ...linkChange(earlier, peer)];
    }),
    ...now.sharedIds
      .filter((id) => !before?.sharedIds.includes(id))
      .map((id): Change => ({ level: "warn", event: "cluster.id_shared", fields: { server: id } })),
  ];
}

function busChange(before: ClusterFacts | undefined, { bus, peers }: ClusterFacts): readonly Change[] {
  if (before === undefined ? bus.isUp : before.bus.isUp === bus.isUp) return [];
  const { address, reason } = bus;
  const linked = peers.filter(({ status, link }) => status !== "gone" && link.way === "direct").length;
  if (bus.isUp) return [{ level: "info", event: "cluster.bus_back", fields: { address } }];
  return [{ level: "warn", event: "cluster.bus_away", fields: { address, reason, linked_peers: linked } }];
}

function statusChange(before: PeerFacts | undefined, now: PeerFacts): readonly Change[] {
  if (before?.status === now.status && before.epoch === now.epoch) return [];
  const isNew = before === undefined || before.epoch !== now.epoch || before.status === "gone";
  const fields: LogFields = {
    peer: now.id,
    version: now.version,
    region: now.region,
    address: now.link.tried ?? now.address,
    reason: now.link.failure,
  };
  switch (now.status) {
    case "alive":
      return [{ level: "info", event: isNew ? "cluster.peer_joined" : "cluster.peer_back", fields }];
    case "draining":
      return [{ level: "info", event: "cluster.peer_draining", fields }];
    case "gone":
      // A peer that had left before this server first heard of it is no news.
      if (before === undefined) return [];
      return isLost(now)
        ? [{ level: "warn", event: "cluster.peer_lost", fields }]
        : [{ level: "info", event: "cluster.peer_left", fields }];
    case "suspect":
    case "incompatible":
    case "unreachable":
      return [{ level: "warn", event: `cluster.peer_${now.status}`, fields }];
    default:
      return now.status satisfies never;
  }
}

function keyChange(before: PeerFacts | undefined, now: PeerFacts): readonly Change[] {
  if ((before?.hasSameKeys ?? true) === now.hasSameKeys) return [];
  const fields = { peer: now.id };
  return now.hasSameKeys
    ? [{ level: "info", event: "cluster.keys_agree", fields }]
    : [{ level: "warn", event: "cluster.keys_differ", fields }];
}

function linkChange(before: PeerFacts | undefined, now: PeerFacts): readonly Change[] {
  const way = before?.link.way ?? "none";
  if (way === now.link.way || now.link.way === "none") return [];
  const { rttMs: rtt_ms } = now.link;
  return [{ level: "info", event: "cluster.linked", fields: { peer: now.id, way: now.link.way, rtt_ms } }];
}
