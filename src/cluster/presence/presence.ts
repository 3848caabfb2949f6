import type { Calls, Members } from "../../plugin/cluster.ts";
import type { PoolLoad } from "../../pool/pool-load.ts";
import type { Clock, Log } from "../../system/deps.ts";
import type { SessionWatch } from "../../tunnel/session-watch.ts";
import { Announcer } from "../announcing/announcer.ts";
import type { Moves } from "../announcing/moves.ts";
import { type OwnFacts, type Said, toSaid } from "../announcing/own-facts.ts";
import { OwnGroups } from "../announcing/own-groups.ts";
import { OwnWorkers } from "../announcing/own-workers.ts";
import type { Bus } from "../bus.ts";
import { PeerWorkers } from "../copies/peer-workers.ts";
import { RemoteDirectory, type RemoteDirectoryOptions } from "../copies/remote-directory.ts";
import { RemoteHolders } from "../copies/remote-holders.ts";
import { Beats } from "../gossip/beats.ts";
import { FULL_QUESTION, type Gossip } from "../gossip/gossip.ts";
import type { Rows } from "../gossip/rows.ts";
import { HybridClock } from "../ids/hybrid-clock.ts";
import { WorkerIds } from "../ids/worker-ids.ts";
import type { PeerLinks } from "../links/link.ts";
import { SPOKEN, type Spoken } from "../versions.ts";
import { GossipLine } from "./gossip-line.ts";
import { BEAT_MS, Peers } from "./peers.ts";
import { Repairs } from "./repairs.ts";

/** How long a server that starts waits for the first beats of the others. Each of them sends one a second. */
const MEET_MS = BEAT_MS + 200;

export interface PresenceOptions {
  readonly serverId: string;
  readonly epoch: string;
  readonly own: OwnFacts;
  readonly clock: Clock;
  readonly log: Log;
  readonly bus: Bus;
  /** The subject that all servers hear. */
  readonly subject: string;
  readonly calls: Calls;
  /** Undefined where servers have no links. */
  readonly links: PeerLinks | undefined;
  /** Whether a key or role of the server still stands for an owner of worker ids. */
  readonly isOwner: (owner: string) => boolean;
  /** Returns the owner to whom the ids of an owner belong now; the same owner unless given. */
  readonly heirOf?: (owner: string) => string;
  readonly modelGraceMs: number;
  /** The longest wait for a peer to announce what it has. */
  readonly startGraceMs: number;
  /** Returns a number from 0 to 1. */
  readonly random: () => number;
  /** The versions that this server speaks: those of the program, unless given. */
  readonly versions?: Spoken;
}

/** Announces to the other servers that this one is there and what it has, and keeps track of the same facts about them. */
export class Presence {
  readonly peers: Peers;
  readonly #options: PresenceOptions;
  readonly #ids = new WorkerIds();
  readonly #stamps: HybridClock;
  readonly #workers: OwnWorkers;
  readonly #holders: RemoteHolders;
  readonly #announcer: Announcer;
  readonly #peerWorkers = new Map<string, PeerWorkers>();
  readonly #directories = new Map<string, RemoteDirectory>();
  readonly #line: GossipLine;
  readonly #repairs: Repairs;
  readonly #beats: Beats;
  readonly #startedAt: number;
  readonly #ends: (() => void)[] = [];
  #metSince: number | undefined;
  #isDraining = false;

  constructor(options: PresenceOptions) {
    const { serverId, epoch, clock, log, own, links, bus, isOwner, versions = SPOKEN } = options;
    this.#options = options;
    this.#startedAt = clock.elapsed();
    this.#stamps = new HybridClock(clock);
    this.#workers = new OwnWorkers({
      serverId,
      clock,
      stamps: this.#stamps,
      ids: this.#ids,
      isOwner,
      heirOf: options.heirOf ?? ((owner) => owner),
      holderOf: (pluginId, workerId) => this.#holders.holderOf(this.workersOf(pluginId), workerId),
      onChange: () => this.#announcer.workersChanged(),
    });
    this.#announcer = new Announcer({
      serverId,
      epoch,
      clock,
      workers: this.#workers,
      publish: (message) => this.#line.send(message),
    });
    this.peers = new Peers({
      serverId,
      epoch,
      region: own.region,
      versions,
      clock,
      log,
      links,
      host: {
        clock,
        ids: this.#ids,
        workersOf: (pluginId) => this.workersOf(pluginId),
        directoryOf: (pluginId) => this.#directories.get(pluginId),
        judge: (pluginId, workerId) => this.#workers.judge(pluginId, workerId),
      },
    });
    this.#line = new GossipLine({
      clock,
      bus,
      subject: options.subject,
      links,
      peers: () => this.peers.all(),
      onMessage: (message, isFromBus) => this.#take(message, isFromBus),
    });
    this.#repairs = new Repairs({
      serverId,
      epoch,
      clock,
      calls: options.calls,
      line: this.#line,
      onPart: (part) => this.#take(part, true),
      isPresent: (peer) => peer.isPresent && this.peers.get(peer.id) === peer,
    });
    this.#holders = new RemoteHolders({
      clock,
      calls: options.calls,
      sessionOf: (sessionId) => this.#workers.find(sessionId),
    });
    this.#beats = new Beats(clock, BEAT_MS, () => this.#beat());
    options.calls.answer(FULL_QUESTION, (question) => this.#announcer.answer(question));
    this.#ends.push(
      bus.onState(() => this.#onBus()),
      () => this.#beats.stop(),
    );
    this.#onBus();
  }

  /** Counts of messages that could not be read, since the start. */
  get ignored(): Readonly<Record<"unknown" | "malformed", number>> {
    return this.#line.ignored;
  }

  /** The workers of this server that move to others. */
  get moves(): Moves {
    return this.#workers.moves;
  }

  /** The other servers, for plugins. */
  get members(): Members {
    return this.peers;
  }

  /**
   * Whether each peer that is there has announced what it has. Until then, a model that is unknown here may be known
   * elsewhere.
   */
  get isSettled(): boolean {
    const { clock, startGraceMs } = this.#options;
    const now = clock.elapsed();
    const hasMet = this.#metSince !== undefined && now - this.#metSince >= MEET_MS;
    if (!hasMet) return now - this.#startedAt >= startGraceMs;
    for (const peer of this.peers.all())
      if (peer.isPresent && !peer.isKnown && now - peer.cameAt < startGraceMs) return false;
    return true;
  }

  /** Returns the watch of one plugin's sessions on this server. Called once for each plugin. */
  watch(pluginId: string): SessionWatch {
    return this.#workers.watch(pluginId);
  }

  /** Returns the workers of a plugin that are connected to peers. */
  workersOf(pluginId: string): PeerWorkers {
    const known = this.#peerWorkers.get(pluginId);
    if (known) return known;
    const workers = new PeerWorkers(this.#options.clock);
    this.#peerWorkers.set(pluginId, workers);
    return workers;
  }

  /** Returns what peers serve for a plugin. Called once for each plugin. */
  join(pluginId: string, use: RemoteDirectoryOptions["use"]): RemoteDirectory {
    const { clock, modelGraceMs, random } = this.#options;
    const directory = new RemoteDirectory({
      pluginId,
      clock,
      workers: this.workersOf(pluginId),
      graceMs: modelGraceMs,
      random,
      isSettled: () => this.isSettled,
      use,
    });
    this.#directories.set(pluginId, directory);
    return directory;
  }

  /** Announces the load of a plugin's pool from now on. Called once for each plugin that has joined. */
  tellLoad(pluginId: string, load: PoolLoad): void {
    const { clock } = this.#options;
    this.#announcer.add(
      pluginId,
      new OwnGroups({
        pluginId,
        load,
        clock,
        nextNumber: () => this.#announcer.nextNumber(),
        firstSeenElsewhere: (model) => this.#directories.get(pluginId)?.everSeenAt(model),
        onChange: (isUrgent) => this.#announcer.loadChanged(isUrgent),
      }),
    );
  }

  /** Announces at once that this server takes no more jobs. */
  drain(): void {
    this.#isDraining = true;
    this.#beat();
  }

  /** Says goodbye, and stops sending and receiving. */
  close(): void {
    const { serverId, epoch } = this.#options;
    this.#announcer.tell();
    this.#line.send({ t: "bye", from: serverId, epoch });
    this.#announcer.stop();
    this.#repairs.close();
    this.#line.close();
    this.peers.close();
    for (const end of this.#ends) end();
  }

  #onBus(): void {
    const { bus, clock } = this.#options;
    const isUp = bus.state.kind === "up";
    this.peers.setHears(isUp);
    if (!isUp) return;
    this.#metSince ??= clock.elapsed();
    this.#line.send({ t: "hello", ...this.#greeting() });
  }

  #beat(): void {
    this.#announcer.tell();
    this.#line.send({ t: "beat", ...this.#greeting() });
  }

  #greeting(): Said {
    const { serverId, epoch, own, clock, bus, versions = SPOKEN } = this.#options;
    return {
      from: serverId,
      epoch,
      seq: this.#announcer.seq,
      at: Math.floor(clock.now()),
      state: this.#isDraining ? "draining" : "ready",
      hears: bus.state.kind === "up",
      ...toSaid(own, versions),
    };
  }

  #take(message: Gossip, isFromBus: boolean): void {
    if (message.t === "beat" || message.t === "hello") {
      const peer = this.peers.greet(message, isFromBus);
      if (message.t === "hello" && peer) this.#beats.reply();
      if (peer && peer.status !== "incompatible") this.#repairs.repair(peer);
      return;
    }
    const peer = this.peers.sender(message, isFromBus);
    if (!peer) return;
    switch (message.t) {
      case "delta":
        this.#hearStamps(message);
        peer.take(message);
        this.peers.update(peer);
        return this.#repairs.repair(peer);
      case "full":
        this.#hearStamps(message);
        peer.takePart(message);
        return this.peers.update(peer);
      case "bye":
        return this.peers.leave(peer);
      case "need":
        for (const part of this.#announcer.snapshot()) this.#line.tell(peer, part);
        return;
      default:
        return message satisfies never;
    }
  }

  #hearStamps({ workers }: Pick<Rows, "workers">): void {
    for (const { at } of workers) this.#stamps.hear(at);
  }
}
