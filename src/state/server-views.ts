import type { Clock } from "../system/deps.ts";
import type { FollowedPeer, PeerStates } from "./cluster-facts.ts";
import type { ClusterOverview } from "./cluster-overview.ts";

/** The age from which a peer's state counts as stale, in milliseconds. Some answers are missing by then. */
const STALE_MS = 5000;

/** What a viewer sees of one server, or of all. */
export interface ServerView {
  /** Returns a text that changes whenever `write` would return something else, apart from clocks. */
  revision(): string;
  /** Returns the state as JSON. */
  write(): string;
  /** Resolves when the servers in the view have sent their states, or when `ms` have passed. */
  wait(ms: number): Promise<void>;
  /** Whether there is a state to show. */
  isKnown(): boolean;
  close(): void;
}

export interface ViewParts {
  readonly clock: Clock;
  readonly serverId: string;
  readonly cluster: ClusterOverview;
  readonly states: PeerStates;
  /** This server's own view, without the cluster. */
  readonly own: Pick<ServerView, "revision" | "write">;
}

/** Creates the view of a peer: its own state, with the cluster as this server sees it. */
export function createPeerView(parts: ViewParts, peerId: string): ServerView {
  const { cluster } = parts;
  const peer = parts.states.follow(peerId);
  return {
    revision: () => `${cluster.revision} ${revisionOf(peer, parts.clock)}`,
    write: () => `{"cluster":${JSON.stringify(cluster.state())},${membersOf(peer, parts)}}`,
    async wait(ms) {
      await peer.next(ms);
    },
    isKnown: () => peer.latest() !== undefined,
    close: () => peer.close(),
  };
}

/** Creates the view of all running servers. Servers that join are added, and those that leave are left out. */
export function createAllView(parts: ViewParts): ServerView {
  const { cluster, states, serverId, own, clock } = parts;
  const followed = new Map<string, FollowedPeer>();
  const follow = (): void => {
    const running = new Set(cluster.runningPeers());
    for (const id of running) if (!followed.has(id)) followed.set(id, states.follow(id));
    for (const [id, peer] of followed) {
      if (running.has(id)) continue;
      peer.close();
      followed.delete(id);
    }
  };
  follow();
  return {
    revision() {
      follow();
      return [own.revision(), cluster.revision, ...[...followed.values()].map((peer) => revisionOf(peer, clock))].join(
        " ",
      );
    },
    write() {
      const peers = [...followed].map(([id, peer]) => `${JSON.stringify(id)}:{${membersOf(peer, parts)}}`);
      const servers = [`${JSON.stringify(serverId)}:${own.write()}`, ...peers].join(",");
      return `{"cluster":${JSON.stringify(cluster.state())},"servers":{${servers}}}`;
    },
    async wait(ms) {
      await Promise.all([...followed.values()].map((peer) => peer.next(ms)));
    },
    isKnown: () => true,
    close() {
      for (const peer of followed.values()) peer.close();
    },
  };
}

/** Returns the members of a peer's envelope as the peer wrote them, after one that says how old they are. */
function membersOf(peer: FollowedPeer, { clock, serverId }: ViewParts): string {
  const latest = peer.latest();
  const relayed = {
    by: serverId,
    at: latest ? rfc3339(latest.confirmedAt) : null,
    stale_since: latest && isStale(peer, clock) ? rfc3339(latest.confirmedAt) : null,
  };
  const members = latest ? latest.text.slice(1, -1) : '"server":null,"plugins":{}';
  return `"relayed":${JSON.stringify(relayed)},${members}`;
}

function revisionOf(peer: FollowedPeer, clock: Clock): string {
  return `${peer.latest()?.number} ${isStale(peer, clock)}`;
}

function isStale(peer: FollowedPeer, clock: Clock): boolean {
  const latest = peer.latest();
  return latest !== undefined && clock.now() - latest.confirmedAt >= STALE_MS;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
