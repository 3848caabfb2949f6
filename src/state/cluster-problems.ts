import type { BusFacts, ClusterFacts, PeerFacts } from "./cluster-facts.ts";
import { isLost } from "./cluster-state.ts";
import type { Found } from "./problems.ts";

/** How long NATS may be away before it is a problem. A restart takes a second, and servers connect again by themselves. */
const BUS_AWAY_MS = 3000;
/** How long a peer may be silent or out of reach before it is a problem. A server that starts takes as long. */
const SETTLING_MS = 5000;
/**
 * The largest difference between two clocks that is no problem. Beyond it, the times of two servers' logs are hard to match.
 */
const MAX_CLOCK_DIFFERENCE_MS = 5000;

/** Finds what is wrong with the cluster, as this server sees it. Pure. */
export function findInCluster(facts: ClusterFacts): readonly Found[] {
  return [...findInBus(facts), ...facts.sharedIds.map(toSharedId), ...facts.peers.flatMap((peer) => findInPeer(peer))];
}

function findInBus({ bus, peers }: ClusterFacts): readonly Found[] {
  if (bus.idHeldOn !== undefined) return [idHeld(bus.idHeldOn)];
  if (!bus.isUp) return findAway(bus, peers);
  const found: Found[] = bus.forbidden.length > 0 ? [forbidden(bus.forbidden)] : [];
  if (bus.hasRecords !== false) return found;
  return [
    ...found,
    problem({
      code: "cluster_records_missing",
      severity: "warning",
      title:
        "NATS keeps no records: created keys, who owns an id, and what was drained or blocked are known to one server only.",
      advice:
        "Start nats-server with JetStream (`-js` and a directory to store in), and let the cluster's user publish to `$JS.API.>` and `$KV.>`.",
    }),
  ];
}

/** The most refusals that a problem quotes. */
const MAX_QUOTED = 3;

function forbidden(all: readonly string[]): Found {
  const quoted = all.slice(0, MAX_QUOTED).join(", ");
  return problem({
    code: "bus_forbidden",
    severity: "critical",
    title: `NATS forbids this server what it needs: ${quoted}${all.length > MAX_QUOTED ? " and more" : ""}.`,
    advice:
      "Give the NATS user the permissions that docs/cluster.md lists for this CLUSTER_NAME, and reload nats-server.",
  });
}

function findAway({ address, reason }: BusFacts, peers: readonly PeerFacts[]): readonly Found[] {
  const linked = peers.filter(({ status, link }) => status !== "gone" && link.way === "direct");
  const known = peers.filter((peer) => peer.status !== "gone" || isLost(peer));
  const where = address === undefined ? "NATS" : `NATS at ${address}`;
  const found: Found[] = [
    problem({
      code: "bus_away",
      severity: "critical",
      title:
        linked.length === 0
          ? "NATS cannot be reached, so this server works alone with its own workers."
          : `NATS cannot be reached: the ${linked.length + 1} servers that are linked go on together, and no other server is found.`,
      advice: `Check that ${where} runs and that NATS_URL is right${reason === undefined ? "" : ` (${reason})`}. This server connects again by itself, within a second.`,
      afterMs: BUS_AWAY_MS,
    }),
  ];
  if (known.length > 0) {
    found.push(
      problem({
        code: "limits_local",
        severity: "warning",
        title: `While NATS is away, each server counts a key's requests by itself: ${known.length + 1} servers together may accept that many times the limit.`,
        advice: "This ends when NATS is back. Lower MAX_REQUESTS_PER_KEY if the model servers cannot take as much.",
        afterMs: BUS_AWAY_MS,
      }),
    );
  }
  return found;
}

function idHeld(host: string): Found {
  return problem({
    code: "server_id_shared",
    severity: "critical",
    title: `Another running server, on ${host}, has the id of this one, so this one works alone.`,
    advice: "Give each server its own SERVER_ID, and restart this one.",
  });
}

function toSharedId(id: string): Found {
  return problem({
    code: "server_id_shared",
    about: id,
    subject: { server: id },
    severity: "critical",
    title: `Two running servers both have the id ${id}.`,
    advice:
      "Give each server its own SERVER_ID and restart one of the two: jobs and workers of one may be taken for the other's.",
  });
}

function findInPeer(peer: PeerFacts): readonly Found[] {
  const { id, status } = peer;
  if (status === "gone") return isLost(peer) ? [lost(peer)] : [];
  const found: Found[] = [];
  if (status === "suspect") {
    found.push(
      problem({
        code: "peer_silent",
        about: id,
        subject: { server: id },
        severity: "warning",
        title: `Server ${id} is silent, so its workers get no new jobs from here.`,
        advice:
          "Check its machine and its connection to NATS. Jobs that run there continue for as long as their link works.",
        afterMs: SETTLING_MS,
      }),
    );
  }
  if (status === "incompatible") {
    found.push(
      problem({
        code: "peer_incompatible",
        about: id,
        subject: { server: id },
        severity: "warning",
        title: `Server ${id} runs version ${peer.version}, which does not work together with this one.`,
        advice:
          "Update the older of the two. Neighbouring versions work together, so that servers can be updated one by one.",
      }),
    );
  }
  return [...found, ...findInLink(peer), ...findDifferences(peer)];
}

function lost({ id }: PeerFacts): Found {
  return problem({
    code: "peer_lost",
    about: id,
    subject: { server: id },
    severity: "warning",
    title: `Server ${id} is gone without a goodbye.`,
    advice:
      "Check its machine and the end of its log. Its workers connect to other servers by themselves. If it is not to come back, it leaves this list after some minutes.",
  });
}

function findInLink({ id, status, address, link }: PeerFacts): readonly Found[] {
  const tried = link.tried ?? address;
  const at = tried === undefined ? "" : ` at ${tried}`;
  const reason = link.failure === undefined ? "" : ` (${link.failure})`;
  const advice = `Let the servers reach each other's CLUSTER_LISTEN port, or set CLUSTER_ADDRESS on ${id} to an address that the others reach.`;
  if (status === "unreachable")
    return [
      problem({
        code: "peer_unreachable",
        about: id,
        subject: { server: id },
        severity: "critical",
        title: `Server ${id} cannot be reached${at}${reason}, so its workers are not used from here.`,
        advice,
        afterMs: SETTLING_MS,
      }),
    ];
  if (link.way !== "bus" || (status !== "alive" && status !== "draining")) return [];
  return [
    problem({
      code: "link_through_nats",
      about: id,
      subject: { server: id },
      severity: "warning",
      title: `Server ${id} cannot be reached${at}${reason}, so requests to its workers travel through NATS, which is slower.`,
      advice,
      afterMs: SETTLING_MS,
    }),
  ];
}

function findDifferences({ id, hasSameKeys, clockAheadMs = 0 }: PeerFacts): readonly Found[] {
  const found: Found[] = [];
  if (!hasSameKeys) {
    found.push(
      problem({
        code: "cluster_keys_differ",
        about: id,
        subject: { server: id },
        severity: "critical",
        title: `Server ${id} has other keys than this one: it refuses clients or workers that this one accepts.`,
        advice:
          "Set the same API_KEY, CLIENT_KEY and ADMIN_KEY on all servers, in the same order, give them the same KEYS_FILE, and restart or reload them.",
        afterMs: SETTLING_MS,
      }),
    );
  }
  if (Math.abs(clockAheadMs) > MAX_CLOCK_DIFFERENCE_MS) {
    const by = Math.round(Math.abs(clockAheadMs) / 1000);
    found.push(
      problem({
        code: "cluster_clock_off",
        about: id,
        subject: { server: id },
        severity: "warning",
        title: `The clock of server ${id} is ${by} s ${clockAheadMs > 0 ? "ahead of" : "behind"} this one's.`,
        advice:
          "Synchronise the machines with a time server (NTP): times in logs do not match, and sign-ins end early or late.",
      }),
    );
  }
  return found;
}

function problem(found: Omit<Found, "plugin">): Found {
  return { plugin: null, ...found };
}
