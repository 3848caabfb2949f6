import { ClusterCalls } from "../../src/cluster/calls.ts";
import type { RemoteDirectory } from "../../src/cluster/copies/remote-directory.ts";
import { Presence, type PresenceOptions } from "../../src/cluster/presence/presence.ts";
import { createSubjects } from "../../src/cluster/subjects.ts";
import { Pool } from "../../src/pool/pool.ts";
import { silentLog } from "../../src/system/log.ts";
import type { IdHolder } from "../../src/tunnel/id-search.ts";
import type { Claimant } from "../../src/tunnel/owners.ts";
import type { HeldSession, SessionWatch } from "../../src/tunnel/session-watch.ts";
import type { FakeClock } from "./fake-clock.ts";
import { type MemoryBus, MemoryNetwork, type Weather } from "./memory-bus.ts";
import { ScriptedExchange, ScriptedSession } from "./scripted-session.ts";

/** The plugin whose workers the rig connects. */
export const PLUGIN = "llm";

export const MODEL_GRACE_MS = 60_000;
export const START_GRACE_MS = 15_000;

/** What a worker of a rig is. */
export interface RigWorker {
  readonly id: string;
  readonly owner?: string;
  readonly previousOwner?: string;
  readonly models?: readonly string[];
  readonly slots?: number;
}

/** One run of a server: its pool, its presence and its workers, without sockets. */
export class RigServer {
  readonly id: string;
  readonly pool: Pool;
  readonly presence: Presence;
  readonly directory: RemoteDirectory;
  readonly bus: MemoryBus;
  readonly sessions = new Set<ScriptedSession>();
  readonly #calls: ClusterCalls;
  readonly #clock: FakeClock;
  readonly #watch: SessionWatch;
  #hasEnded = false;

  constructor(id: string, run: number, rig: PresenceRig, changes: Partial<PresenceOptions> = {}) {
    const { clock, network, owners } = rig;
    this.id = id;
    this.#clock = clock;
    this.bus = network.join(id);
    const subjects = createSubjects("test");
    this.#calls = new ClusterCalls({ serverId: id, subjects, bus: this.bus, clock, log: silentLog });
    const { random } = rig;
    this.pool = new Pool({
      clock,
      queueSize: 100,
      queueTimeoutMs: 10_000,
      modelGraceMs: MODEL_GRACE_MS,
      serverId: id,
      name: PLUGIN,
    });
    this.presence = new Presence({
      serverId: id,
      epoch: `${String(clock.now()).padStart(16, "0")}-${run}`,
      own: {
        region: undefined,
        version: "1.0.0",
        keys: () => "keys",
        address: () => undefined,
        linkKey: undefined,
        load: () => undefined,
      },
      clock,
      log: silentLog,
      bus: this.bus,
      subject: subjects.gossip,
      calls: this.#calls,
      links: undefined,
      isOwner: (owner) => !owners.gone.has(owner),
      modelGraceMs: MODEL_GRACE_MS,
      startGraceMs: START_GRACE_MS,
      random,
      ...changes,
    });
    this.#watch = this.presence.watch(PLUGIN);
    this.directory = this.presence.join(PLUGIN, () => ({
      open: ({ request }, sink) => new ScriptedExchange(request, sink, clock),
      progress: () => {},
      count: () => {},
      release: () => {},
      refuse: () => {},
    }));
    this.presence.tellLoad(PLUGIN, this.pool.load);
  }

  /** Returns the holder of an id at another server, as the endpoint asks for it. */
  holderOf(workerId: string): IdHolder | undefined {
    return this.#watch.holderOf(workerId);
  }

  /** Connects a worker, as the endpoint does. Returns undefined if its id is in use. */
  connect({ id, owner = "o", previousOwner, models = ["m"], slots = 1 }: RigWorker): ScriptedSession | undefined {
    const claimant: Claimant = previousOwner === undefined ? { owner } : { owner, previousOwner };
    if (this.#hasEnded || !this.#watch.mayClaim(id, claimant)) return undefined;
    const session = new ScriptedSession(id, models, slots, this.#clock);
    const held = {
      session,
      claimant,
      isLeaving: false,
      canMove: true,
      ping: () => session.ping(),
      handOver: () => {
        this.tellToLeave(session);
        this.onHandOver(session);
      },
      drain: () => this.onDrain(session),
    } satisfies HeldSession;
    const { pool } = this;
    session.host = {
      onOfferChange: (changed) => pool.onOfferChange(changed),
      onClosed: (closed) => {
        pool.onClosed(closed);
        this.sessions.delete(session);
        this.#held.delete(session);
        this.#watch.onClosed(held);
      },
    };
    this.sessions.add(session);
    this.#held.set(session, held);
    pool.onOpened(session);
    this.#watch.onOpened(held);
    return session;
  }

  readonly #held = new Map<ScriptedSession, { isLeaving: boolean; canMove: boolean } & HeldSession>();
  /** What workers do that are told to connect again, and that are told to leave. */
  onHandOver: (session: ScriptedSession) => void = () => {};
  onDrain: (session: ScriptedSession) => void = (session) => session.vanish();

  /** Keeps a worker from moving, as if it ran a job, or lets it move again. */
  setBusy(session: ScriptedSession, isBusy: boolean): void {
    const held = this.#held.get(session);
    if (held) held.canMove = !isBusy;
  }

  /** Tells a worker to connect to another server. */
  tellToLeave(session: ScriptedSession): void {
    const held = this.#held.get(session);
    if (!held) return;
    held.isLeaving = true;
    this.#watch.onLeaving(held);
  }

  /** Lists the ids of the workers here that were told to connect to another server, and of those that were not. */
  get leavingIds(): readonly string[] {
    return [...this.#held.values()].filter(({ isLeaving }) => isLeaving).map(({ session }) => session.worker.id);
  }

  get stayingIds(): readonly string[] {
    return [...this.#held.values()].filter(({ isLeaving }) => !isLeaving).map(({ session }) => session.worker.id);
  }

  /** Lists the ids of the workers that are connected here. */
  get workerIds(): readonly string[] {
    return Array.from(this.sessions, ({ worker }) => worker.id).sort();
  }

  /** What the directory knows of the workers of one peer: model, workers, slots and free slots of each group. */
  knownOf(peerId: string): readonly string[] {
    const rows: string[] = [];
    for (const model of this.directory.servedModels())
      for (const group of this.directory.groupsOf(model))
        if (group.peer.id === peerId)
          rows.push(`${model} ${group.workers} ${group.slots} ${group.free(this.#clock.elapsed())}`);
    return rows.sort();
  }

  /** The same as it is: what a peer should know of this server. */
  get truth(): readonly string[] {
    const models = new Map<string, [number, number, number]>();
    for (const seat of this.pool.seats()) {
      for (const model of seat.models) {
        const sum = models.get(model) ?? [0, 0, 0];
        models.set(model, [sum[0] + 1, sum[1] + seat.capacity, sum[2] + seat.capacity - seat.busy]);
      }
    }
    return [...models].map(([model, sum]) => `${model} ${sum.join(" ")}`).sort();
  }

  /** Ends in order. */
  close(): void {
    for (const session of [...this.sessions]) session.vanish();
    this.presence.close();
    this.kill();
  }

  /** Ends without a word. */
  kill(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#calls.close();
    void this.bus.close();
    this.presence.close();
    for (const session of [...this.sessions]) session.vanish();
  }
}

/** Servers of one cluster in one process, on a fake clock. */
export class PresenceRig {
  readonly clock: FakeClock;
  readonly network: MemoryNetwork;
  readonly servers = new Map<string, RigServer>();
  readonly random: () => number;
  /** Owners for which no key stands any more. */
  readonly owners = { gone: new Set<string>() };
  #runs = 0;

  constructor(clock: FakeClock, random: () => number = () => 0, weather: Weather = {}) {
    this.clock = clock;
    this.random = random;
    this.network = new MemoryNetwork(clock, weather, random);
  }

  /** Starts a server. One that ran before under this id has ended. */
  start(id: string, changes?: Partial<PresenceOptions>): RigServer {
    this.#runs += 1;
    const server = new RigServer(id, this.#runs, this, changes);
    this.servers.set(id, server);
    return server;
  }

  /** Lets time pass. Answers to questions arrive through promises, so these are awaited in between. */
  async run(ms: number, stepMs = 5): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await settle();
    }
  }

  close(): void {
    for (const server of this.servers.values()) server.kill();
  }
}

/** Lets all promises settle that wait for nothing but each other. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
}
