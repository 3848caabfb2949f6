import type { Members } from "../../plugin/cluster.ts";
import type { PeerStatus } from "../../state/cluster-facts.ts";
import type { CancelTimer, Clock, Log } from "../../system/deps.ts";
import type { ReplicaHost } from "../copies/replica.ts";
import type { Greeting } from "../gossip/gossip.ts";
import type { Link, PeerLinks } from "../links/link.ts";
import { commonVersion, type Spoken } from "../versions.ts";
import { Peer } from "./peer.ts";

/** A server sends a beat each second. After three missed ones it gets no new jobs, and after five it counts as gone. */
export const BEAT_MS = 1000;
export const SUSPECT_MS = 3 * BEAT_MS;
export const GONE_MS = 5 * BEAT_MS;
/** How often silence is looked for. */
const LOOK_MS = 250;
/** A beat that arrives this soon after the link of its sender broke was sent before the break. */
const LAST_BEAT_MS = 200;
/** How long the copy of a server is kept after it is gone, in case it was only cut off. */
const KEEP_COPY_MS = 60_000;
/** How long a server that is gone is listed. */
const LIST_MS = 15 * 60_000;
/** The most servers that are remembered. */
const MAX_PEERS = 256;

export interface PeersOptions {
  readonly serverId: string;
  readonly epoch: string;
  readonly region: string | undefined;
  readonly versions: Spoken;
  readonly clock: Clock;
  readonly log: Log;
  readonly host: ReplicaHost;
  readonly links: PeerLinks | undefined;
}

/** The other servers: which of them are there, and in which status. */
export class Peers implements Members {
  readonly #options: PeersOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #came: ((serverId: string) => void)[] = [];
  readonly #gone: ((serverId: string) => void)[] = [];
  readonly #unlinked: ((serverId: string) => void)[] = [];
  readonly #beats: ((peer: Peer) => void)[] = [];
  /** Undefined until another server was heard, because a server that is alone need not wake up to look for silent ones. */
  #stop: CancelTimer | undefined;
  readonly #sharedIds = new Map<string, number>();
  /** `Clock.elapsed` since which silence counts; undefined while the bus is down. */
  #hearsSince: number | undefined;

  constructor(options: PeersOptions) {
    this.#options = options;
    options.links?.onChange((link) => this.#onLink(link));
  }

  all(): Iterable<Peer> {
    return this.#peers.values();
  }

  get(id: string): Peer | undefined {
    return this.#peers.get(id);
  }

  ids(): readonly string[] {
    return [...this.#peers.values()].filter(({ isPresent }) => isPresent).map(({ id }) => id);
  }

  isAnyReady(): boolean {
    for (const { takesJobs, isReachable } of this.#peers.values()) if (takesJobs && isReachable) return true;
    return false;
  }

  /** Ids that two servers use at the same time. */
  get sharedIds(): readonly string[] {
    return [...this.#sharedIds.keys()];
  }

  onCame(listener: (serverId: string) => void): void {
    this.#came.push(listener);
  }

  onGone(listener: (serverId: string) => void): void {
    this.#gone.push(listener);
  }

  /** Calls `listener` when a peer has gone or speaks no common version, so that no link to it is wanted. */
  onUnlinked(listener: (serverId: string) => void): void {
    this.#unlinked.push(listener);
  }

  /** Calls `listener` after each beat of a peer that this server can understand. */
  onBeat(listener: (peer: Peer) => void): void {
    this.#beats.push(listener);
  }

  /** Notes whether the bus is up. While it is down, the silence of a peer means nothing. */
  setHears(hears: boolean): void {
    this.#hearsSince = hears ? this.#options.clock.elapsed() : undefined;
  }

  /** Takes in a beat or a hello. Returns the peer; undefined if the message is ignored. */
  greet(greeting: Greeting, isFromBus: boolean): Peer | undefined {
    const { serverId, epoch, clock } = this.#options;
    if (greeting.from === serverId) {
      if (greeting.epoch !== epoch) {
        this.#sharedIds.set(serverId, clock.elapsed());
        this.#keepLooking();
      }
      return undefined;
    }
    const known = this.#peers.get(greeting.from);
    if (known && !this.#isOfPresentRun(known, greeting.epoch)) return undefined;
    const peer = known ?? this.#add(greeting);
    if (!peer) return undefined;
    if (isFromBus && peer.lostAt !== undefined && clock.elapsed() - peer.lostAt < LAST_BEAT_MS) return undefined;
    const isNewRun = peer.greet(greeting);
    if (isNewRun && peer.isPresent) this.#setStatus(peer, "gone");
    this.#heard(peer, isFromBus);
    peer.lostAt = undefined;
    peer.clockAheadMs = greeting.at - clock.now();
    this.update(peer);
    if (peer.status !== "incompatible") for (const listener of this.#beats) listener(peer);
    return peer;
  }

  /** Returns the sender of any other message; undefined if it is unknown, or if the message belongs to an earlier run. */
  sender(message: { readonly from: string; readonly epoch: string }, isFromBus: boolean): Peer | undefined {
    const peer = this.#peers.get(message.from);
    if (!peer || peer.epoch !== message.epoch || peer.saidGoodbye || peer.status === "incompatible") return undefined;
    this.#heard(peer, isFromBus);
    return peer;
  }

  /** Notes that a peer has said goodbye. */
  leave(peer: Peer): void {
    peer.saidGoodbye = true;
    this.update(peer);
  }

  /** Brings the status of a peer up to date, and everything that depends on it. */
  update(peer: Peer): void {
    const status = this.#statusOf(peer);
    if (status !== peer.status) this.#setStatus(peer, status);
    if (peer.isPresent && !peer.replica.isAttached && peer.isKnown && !peer.isBehind) peer.replica.attach();
  }

  close(): void {
    this.#stop?.();
  }

  #heard(peer: Peer, isFromBus: boolean): void {
    const { clock } = this.#options;
    peer.heardAt = clock.elapsed();
    peer.heardAtWall = clock.now();
    if (isFromBus) peer.busHeardAt = peer.heardAt;
  }

  /** Whether a message belongs to a run of the peer that may still be going on. */
  #isOfPresentRun(peer: Peer, epoch: string): boolean {
    if (epoch === peer.epoch) return !peer.saidGoodbye;
    // A smaller epoch means a late message of an earlier run. If the peer has been gone for long, it means a clock that was
    // set back.
    return epoch > peer.epoch || this.#options.clock.elapsed() - peer.heardAt >= GONE_MS;
  }

  #add(greeting: Greeting): Peer | undefined {
    const { clock, host, region, links } = this.#options;
    if (this.#peers.size >= MAX_PEERS) {
      const gone = [...this.#peers.values()].find(({ status }) => status === "gone");
      if (!gone) return undefined;
      this.#forget(gone);
    }
    const peer = new Peer(greeting, { at: clock.now(), elapsed: clock.elapsed() }, { host, region, links });
    peer.status = "gone";
    this.#peers.set(peer.id, peer);
    this.#keepLooking();
    return peer;
  }

  #keepLooking(): void {
    this.#stop ??= this.#options.clock.every(LOOK_MS, () => this.#look());
  }

  #forget(peer: Peer): void {
    peer.forget();
    this.#peers.delete(peer.id);
  }

  #statusOf(peer: Peer): PeerStatus {
    const { versions, clock } = this.#options;
    if (peer.saidGoodbye || peer.lostAt !== undefined) return "gone";
    const { gossip, link, state } = peer.greeting;
    const isUnderstood = commonVersion(versions.gossip, gossip) !== undefined && commonVersion(versions.link, link);
    if (!peer.isLinked) {
      // Without a link, only messages on the bus show that the peer is there. Without the bus, silence means nothing.
      const since = this.#hearsSince;
      const silentMs = since === undefined ? 0 : clock.elapsed() - Math.max(since, peer.heardAt);
      if (silentMs >= GONE_MS || (since === undefined && peer.status === "gone" && !this.#wasJustHeard(peer)))
        return "gone";
      if (!isUnderstood) return "incompatible";
      if (silentMs >= SUSPECT_MS) return "suspect";
      if (peer.link?.state === "unreachable") return "unreachable";
    }
    if (!isUnderstood) return "incompatible";
    return state === "draining" ? "draining" : "alive";
  }

  #wasJustHeard(peer: Peer): boolean {
    return this.#options.clock.elapsed() - peer.heardAt < BEAT_MS;
  }

  #setStatus(peer: Peer, status: PeerStatus): void {
    const { log, clock } = this.#options;
    const wasPresent = peer.isPresent;
    const before = peer.status;
    peer.status = status;
    peer.since = clock.now();
    // `ClusterLog` reports changes that last for a second to operators.
    log.debug("peer.changed", { peer: peer.id, status, was: before, version: peer.greeting.version });
    if (wasPresent && !peer.isPresent) peer.replica.detach();
    peer.replica.changed();
    // A peer that cannot be reached is dialled on, and may yet be reached by a lane.
    if (status === "gone" || status === "incompatible") for (const listener of this.#unlinked) listener(peer.id);
    if (wasPresent === peer.isPresent) return;
    for (const listener of peer.isPresent ? this.#came : this.#gone) listener(peer.id);
  }

  #onLink(link: Link): void {
    const peer = this.#peers.get(link.peerId);
    if (!peer) return;
    const { isLinked, hadLink } = peer;
    peer.hadLink = isLinked;
    if (hadLink && !isLinked) peer.lostAt = this.#options.clock.elapsed();
    if (isLinked) peer.lostAt = undefined;
    this.update(peer);
    peer.replica.changed();
  }

  #look(): void {
    const now = this.#options.clock.elapsed();
    for (const [id, at] of this.#sharedIds) if (now - at >= GONE_MS) this.#sharedIds.delete(id);
    for (const peer of [...this.#peers.values()]) {
      this.update(peer);
      if (peer.status !== "gone") continue;
      const goneMs = now - peer.heardAt;
      if (goneMs >= KEEP_COPY_MS && peer.isKnown) peer.forget();
      if (peer.replica.prune() && goneMs >= LIST_MS) this.#forget(peer);
    }
  }
}
