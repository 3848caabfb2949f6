import type { Log, LogFields } from "../system/deps.ts";
import type { ClusterFacts, PeerFacts } from "./cluster-facts.ts";
import { isLost } from "./cluster-state.ts";

/** One line for the log. */
export interface Change {
  readonly level: "info" | "warn";
  readonly event: string;
  readonly fields: LogFields;
}

/** Writes a line for each change of a peer, once each. NATS and the links write their own. */
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
    ...now.peers.flatMap((peer) => {
      const earlier = known.get(peer.id);
      return [...statusChange(earlier, peer), ...keyChange(earlier, peer)];
    }),
    ...now.sharedIds
      .filter((id) => !before?.sharedIds.includes(id))
      .map((id): Change => ({ level: "warn", event: "cluster.id_shared", fields: { server: id } })),
  ];
}

function statusChange(before: PeerFacts | undefined, now: PeerFacts): readonly Change[] {
  if (before?.status === now.status && before.epoch === now.epoch) return [];
  const isNew = before === undefined || before.epoch !== now.epoch || before.status === "gone";
  const fields: LogFields = {
    peer: now.id,
    version: now.version,
    region: now.region,
    address: now.address,
  };
  switch (now.status) {
    case "alive":
      return [{ level: "info", event: isNew ? "cluster.peer_joined" : "cluster.peer_back", fields }];
    case "draining":
      return [{ level: "info", event: "cluster.peer_draining", fields }];
    case "gone":
      // A peer that had left before this server first heard of it is not reported.
      if (before === undefined) return [];
      return isLost(now)
        ? [{ level: "warn", event: "cluster.peer_lost", fields }]
        : [{ level: "info", event: "cluster.peer_left", fields }];
    // The link logs this, with the reason.
    case "unreachable":
      return [];
    case "suspect":
    case "incompatible":
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
