import { type Caller, createCaller } from "../../src/auth/caller.ts";
import { Offers, type PoolOffers } from "../../src/cluster/offers/offers.ts";
import type { Owner } from "../../src/cluster/offers/owners.ts";
import { ServiceNews } from "../../src/cluster/sharing/shared-service.ts";
import { Tells } from "../../src/cluster/tells.ts";
import type { HeldClaim } from "../../src/pool/claim.ts";
import type { Demand } from "../../src/pool/directory.ts";
import { NONE_EXCLUDED } from "../../src/pool/excluded.ts";
import { Job } from "../../src/pool/job.ts";
import type { JobEnd, JobReport } from "../../src/pool/job-spec.ts";
import { FairQueue } from "../../src/pool/policies/fair/fair-queue.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { PeerRequest, RemoteChoice, RemoteNeeds, RemoteSlot } from "../../src/pool/remotes.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../src/tunnel/exchange.ts";
import { FakeClock } from "./fake-clock.ts";
import { type MemoryLine, MemoryLinks } from "./memory-links.ts";
import { ScriptedRemotes } from "./scripted-remotes.ts";
import { type ScriptedExchange, ScriptedSession } from "./scripted-session.ts";

/** How often a server tells its load, unless it has no free slot any more or has one again. */
const LOAD_PERIOD_MS = 250;
const URGENT_PERIOD_MS = 50;

/** A job that a test sends to one of the servers. */
export interface ClusterWish {
  readonly server: number;
  /** For how long it holds its slot, which is also what it costs. */
  readonly ms: number;
  readonly caller?: Caller;
  readonly model?: string;
  readonly workerId?: string | undefined;
  readonly endUser?: string | undefined;
}

/** What has become of a job. Times are milliseconds after the start. */
export interface ClusterRun {
  readonly wish: ClusterWish;
  readonly sentAt: number;
  readonly job: Job;
  begunAt: number | undefined;
  endedAt: number | undefined;
  /** The server whose worker has served it. */
  servedAt: string | undefined;
  readonly ends: JobEnd[];
  report: JobReport | undefined;
}

export interface PoolClusterOptions {
  readonly servers: number;
  /** Milliseconds for a message in one direction. */
  readonly delayMs?: number | (() => number);
  readonly random?: () => number;
  /** Without offers, each server wakes only its own jobs for its slots. */
  readonly hasOffers?: boolean;
  readonly queueTimeoutMs?: number;
}

/** Real pools on several servers, which are linked in memory. Workers hold each job for its time. */
export class PoolCluster {
  readonly clock = new FakeClock();
  readonly links: MemoryLinks;
  readonly servers: readonly PoolServer[];
  readonly runs: ClusterRun[] = [];
  readonly random: () => number;
  readonly #startedAt = this.clock.elapsed();

  constructor(options: PoolClusterOptions) {
    this.links = new MemoryLinks(this.clock, options.delayMs ?? 1);
    this.random = options.random ?? Math.random;
    this.servers = Array.from({ length: options.servers }, (_, at) => new PoolServer(`s${at}`, this, options));
    this.links.connectAll();
  }

  get now(): number {
    return this.clock.elapsed() - this.#startedAt;
  }

  at(server: number): PoolServer {
    const found = this.servers[server];
    if (!found) throw new Error(`no server ${server}`);
    return found;
  }

  find(id: string): PoolServer {
    const found = this.servers.find((server) => server.id === id);
    if (!found) throw new Error(`no server ${id}`);
    return found;
  }

  connect(server: number, workerId: string, slots: number, models: readonly string[] = ["m"]): WorkingSession {
    return this.at(server).connect(workerId, slots, models);
  }

  send(wish: ClusterWish): ClusterRun {
    const { caller = createCaller("someone"), model = "m", workerId, endUser, ms } = wish;
    const { pool } = this.at(wish.server);
    const job = new Job(
      pool,
      this.clock,
      {
        requestId: `r${this.runs.length}`,
        kind: "chat.completions",
        model,
        workerId,
        caller,
        endUser,
        exact: false,
        silenceMs: Number.POSITIVE_INFINITY,
        stallMs: Number.POSITIVE_INFINITY,
        request: (claim) => {
          run.begunAt = this.now;
          run.servedAt = claim.worker.server ?? this.at(wish.server).id;
          return { head: { method: "POST", path: `/${ms}`, headers: [] }, body: new Uint8Array(0) };
        },
      },
      {
        onHead: () => {},
        onData: ({ length }) => job.consumed(length),
        onEnd: (end) => {
          run.ends.push(end);
          run.endedAt = this.now;
        },
      },
      (report) => {
        run.report = report;
        report.claim?.count({ outcome: "completed", error: undefined, runningMs: ms, usage: undefined, output: ms });
      },
    );
    const run: ClusterRun = {
      wish,
      sentAt: this.now,
      job,
      begunAt: undefined,
      endedAt: undefined,
      servedAt: undefined,
      ends: [],
      report: undefined,
    };
    this.runs.push(run);
    job.start();
    return run;
  }
}

/** A worker that answers each request after the time that its path names. */
export class WorkingSession extends ScriptedSession {
  readonly #clock: FakeClock;
  readonly #onChange: () => void;

  /** `onChange` is called when a job begins and when one ends. */
  constructor(workerId: string, models: readonly string[], slots: number, clock: FakeClock, onChange: () => void) {
    super(workerId, models, slots, clock);
    this.#clock = clock;
    this.#onChange = onChange;
  }

  override open(request: ExchangeRequest, sink: ExchangeSink): ScriptedExchange {
    const exchange = super.open(request, {
      onHead: (head) => sink.onHead(head),
      onData: (bytes) => sink.onData(bytes),
      onEnd: (end) => {
        this.exchanges.splice(this.exchanges.indexOf(exchange), 1);
        sink.onEnd(end);
        if (end.kind === "canceled") queueMicrotask(() => exchange.confirm());
      },
      onSettled: () => {
        sink.onSettled();
        this.#onChange();
      },
    });
    this.#onChange();
    this.#clock.after(Number(request.head.path.slice(1)), () => {
      exchange.head({ status: 200, headers: [] });
      exchange.end();
    });
    return exchange;
  }
}

/** What one server knows of the others. What they tell of their load is as old as messages are. */
class ToldRemotes extends ScriptedRemotes {
  readonly #server: PoolServer;
  /** Slots that were taken here since a peer has told its load, by peer. */
  readonly #mine = new Map<string, number>();

  constructor(server: PoolServer) {
    super(server.cluster.clock);
    this.#server = server;
  }

  /** Takes over the load of a peer's workers. */
  told(
    peer: string,
    workers: readonly { id: string; sessionId: string; models: readonly string[]; slots: number; busy: number }[],
  ): void {
    const others = this.workers.filter(({ server }) => server !== peer);
    this.workers.length = 0;
    this.workers.push(...others, ...workers.map(({ busy, ...worker }) => ({ ...worker, server: peer, told: busy })));
    this.#mine.delete(peer);
    this.offersRevision += 1;
    this.#server.pool.peers.onRemotesChange(
      new Set(workers.flatMap(({ models, slots, busy }) => (slots > busy ? models : []))),
    );
  }

  forget(peer: string): void {
    const gone = this.workers.filter(({ server }) => server === peer);
    this.told(peer, []);
    this.#server.pool.peers.onRemotesChange(new Set(gone.flatMap(({ models }) => models)));
  }

  override choose(model: string, { excluded, workerId }: RemoteNeeds): RemoteChoice | undefined {
    const free = new Map<string, number>();
    for (const { server, id, sessionId, models, slots, told } of this.workers) {
      if (!models.includes(model) || (workerId !== undefined && id !== workerId)) continue;
      if (excluded.sessions.has(sessionId) || excluded.workers.has(id)) continue;
      free.set(server, (free.get(server) ?? -(this.#mine.get(server) ?? 0)) + slots - told);
    }
    const able = [...free].filter(([, slots]) => slots > 0);
    const sum = able.reduce((total, [, slots]) => total + slots, 0);
    let left = this.#server.cluster.random() * sum;
    const chosen = able.find(([, slots]) => {
      left -= slots;
      return left <= 0;
    });
    if (!chosen) return undefined;
    const [server] = chosen;
    return { ...this.choiceOf(server, model), hold: () => this.#take(server, model) };
  }

  #take(server: string, model: string): RemoteSlot {
    this.#mine.set(server, (this.#mine.get(server) ?? 0) + 1);
    return this.#server.slotAt(server, model, undefined, () => {
      for (const worker of this.workers) if (worker.server === server) worker.told = worker.slots;
    });
  }

  ownersOf({ model, workerId, excluded }: Demand): Owner[] {
    const owners = new Map<string, { slots: number; free: number }>();
    for (const worker of this.workers) {
      if (!worker.models.includes(model) || (workerId !== undefined && worker.id !== workerId)) continue;
      if (excluded.sessions.has(worker.sessionId)) continue;
      const owner = owners.get(worker.server) ?? { slots: 0, free: 0 };
      owner.slots += worker.slots;
      owner.free += worker.slots - worker.told;
      owners.set(worker.server, owner);
    }
    return Array.from(owners, ([peer, owner]) => ({ peer, ...owner, isNear: true }));
  }

  #offers: PoolOffers | undefined;
  hasOffers = false;

  use(offers: PoolOffers): void {
    this.#offers = offers;
    this.hasOffers = offers.hasOffers ?? false;
  }

  override want(...[ticket]: Parameters<ScriptedRemotes["want"]>): void {
    super.want(ticket);
    this.#offers?.want(ticket);
  }

  override unwant(...[ticket]: Parameters<ScriptedRemotes["unwant"]>): void {
    super.unwant(ticket);
    this.#offers?.unwant(ticket);
  }

  override ahead(...[ticket]: Parameters<PoolOffers["ahead"]>): number {
    return this.#offers?.ahead(ticket) ?? 0;
  }
}

interface ServedExchange {
  cancel(): void;
}

/** One server of the cluster. */
export class PoolServer {
  readonly id: string;
  readonly cluster: PoolCluster;
  readonly pool: Pool;
  readonly offers: PoolOffers | undefined;
  readonly sessions: WorkingSession[] = [];
  /** Claims of peers that found no slot. */
  refusals = 0;
  readonly line: MemoryLine;
  readonly #remotes: ToldRemotes;
  /** The exchanges of this server's jobs at peers, and those of peers here. */
  readonly #asked = new Set<LinkedExchange>();
  readonly #served = new Map<ServedExchange, string>();
  #toldFree: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #isTelling = false;

  constructor(id: string, cluster: PoolCluster, { hasOffers = true, queueTimeoutMs = 3_600_000 }: PoolClusterOptions) {
    this.id = id;
    this.cluster = cluster;
    const { clock, links } = cluster;
    this.line = links.join(id);
    const tells = new Tells(this.line);
    this.#remotes = new ToldRemotes(this);
    this.pool = new Pool({
      clock,
      queueSize: 100_000,
      queueTimeoutMs,
      modelGraceMs: 3_600_000,
      startGraceMs: 3_600_000,
      serverId: id,
      name: "llm",
      createPolicy: (host) => new FairQueue({ capacity: 100_000, clock, costOf: ({ output }) => output }, host),
      remotes: { models: this.#remotes, queue: this.#remotes },
    });
    const offers = new Offers({ clock, tells, random: cluster.random });
    this.offers = hasOffers
      ? offers.join("llm", {
          pool: this.pool,
          ownersOf: (demand) => this.#remotes.ownersOf(demand),
          hold: ({ peer, slot, offer }) => this.slotAt(peer, offer.model, slot, () => {}),
        })
      : undefined;
    if (this.offers) this.#remotes.use(this.offers);
    new ServiceNews(clock, tells).join("llm", this.pool);
    this.line.onJoined((peer) => this.#tellLoad([peer]));
    this.line.onLost((peer) => this.#onLost(peer));
    clock.after(cluster.random() * LOAD_PERIOD_MS, () => {
      clock.every(LOAD_PERIOD_MS, () => this.#tellLoad());
    });
  }

  /** Slots of own workers that are held. */
  get busy(): number {
    let busy = 0;
    for (const seat of this.pool.seats()) busy += seat.busy;
    return busy;
  }

  connect(workerId: string, slots: number, models: readonly string[]): WorkingSession {
    const session = new WorkingSession(workerId, models, slots, this.cluster.clock, this.#loadChanged);
    session.host = this.pool;
    this.sessions.push(session);
    this.pool.onOpened(session);
    this.#tellLoad();
    return session;
  }

  /** Returns a slot on a peer: the one that it has offered, or any that is free. */
  slotAt(peer: string, model: string, slot: string | undefined, onRefused: () => void): RemoteSlot {
    const { links } = this.cluster;
    return {
      open: (request, sink) => {
        const exchange = new LinkedExchange(peer, sink, () => {
          this.#asked.delete(exchange);
          if (served) links.later(this.id, peer, () => served?.cancel());
        });
        let served: ServedExchange | undefined;
        this.#asked.add(exchange);
        const reply = (work: () => void): void => void links.later(peer, this.id, work);
        const isSent = links.later(this.id, peer, () => {
          served = this.cluster.find(peer).serve(this.id, model, slot, request, exchange, reply);
        });
        if (!isSent) queueMicrotask(() => exchange.end({ kind: "lost", reason: "no link" }, true));
        return exchange;
      },
      progress: () => {},
      count: () => {},
      release: () => {},
      refuse: onRefused,
    };
  }

  /** Serves a job of a peer with an own worker, or refuses it. */
  serve(
    peer: string,
    model: string,
    slot: string | undefined,
    { ticket, request }: PeerRequest,
    exchange: LinkedExchange,
    reply: (work: () => void) => void,
  ): ServedExchange | undefined {
    const claim = this.#claim(peer, model, slot, ticket);
    if (!claim) {
      this.refusals += 1;
      reply(() => exchange.end({ kind: "refused", message: "" }, true));
      return undefined;
    }
    const own = claim.open(request, {
      onHead: (head) => reply(() => exchange.head(head)),
      onData: () => {},
      onEnd: (end) => reply(() => exchange.end(end, false)),
      onSettled: () => {
        this.#served.delete(served);
        claim.release();
        reply(() => exchange.settle());
      },
    });
    const served: ServedExchange = { cancel: () => own.cancel("canceled") };
    this.#served.set(served, peer);
    return served;
  }

  #claim(peer: string, model: string, slot: string | undefined, ticket: PeerRequest["ticket"]): HeldClaim | undefined {
    const { workerId, excluded = NONE_EXCLUDED } = ticket.demand;
    const { caller, endUser } = ticket;
    const candidate = { caller, class: ticket.class, endUser, demand: { model, workerId, exact: true, excluded } };
    const taken = slot === undefined ? undefined : this.offers?.take(peer, slot);
    if (!taken) return this.pool.peers.claimForPeer(candidate, peer);
    taken.claim.assign({ ...this.pool.issueTicket(candidate, this.cluster.clock.elapsed(), true), peer });
    return taken.claim;
  }

  #onLost(peer: string): void {
    this.#remotes.forget(peer);
    for (const exchange of [...this.#asked])
      if (exchange.peer === peer) exchange.end({ kind: "lost", reason: "link" }, true);
    for (const [served, from] of [...this.#served]) if (from === peer) served.cancel();
  }

  /** Tells the load at once if there is no free slot any more, or one again, but not too often. */
  readonly #loadChanged = (): void => {
    const { clock } = this.cluster;
    if (this.#isTelling || (this.#free === 0) === (this.#toldFree === 0)) return;
    this.#isTelling = true;
    clock.after(Math.max(0, this.#toldAt + URGENT_PERIOD_MS - clock.elapsed()), () => {
      this.#isTelling = false;
      if ((this.#free === 0) !== (this.#toldFree === 0)) this.#tellLoad();
    });
  };

  get #free(): number {
    let free = 0;
    for (const { capacity, busy } of this.pool.seats()) free += Math.max(0, capacity - busy);
    return free;
  }

  #tellLoad(peers: Iterable<string> = this.line.peers()): void {
    this.#toldFree = this.#free;
    this.#toldAt = this.cluster.clock.elapsed();
    const workers = Array.from(this.pool.seats(), ({ session, models, capacity, busy }) => ({
      id: session.worker.id,
      sessionId: session.id,
      models,
      slots: capacity,
      busy,
    }));
    for (const peer of peers)
      this.cluster.links.later(this.id, peer, () => this.cluster.find(peer).#remotes.told(this.id, workers));
  }
}

/** An exchange with a peer, as the entry server sees it. */
class LinkedExchange implements Exchange {
  readonly peer: string;
  readonly lastProgressAt = 0;
  readonly isWaitingForUs = false;
  readonly #sink: ExchangeSink;
  readonly #onCancel: () => void;
  #hasEnded = false;
  #hasSettled = false;

  constructor(peer: string, sink: ExchangeSink, onCancel: () => void) {
    this.peer = peer;
    this.#sink = sink;
    this.#onCancel = onCancel;
  }

  consumed(): void {}

  cancel(): void {
    if (this.#hasEnded) return;
    this.#onCancel();
    this.end({ kind: "canceled" }, true);
  }

  head(head: Parameters<ExchangeSink["onHead"]>[0]): void {
    if (!this.#hasEnded) this.#sink.onHead(head);
  }

  end(end: ExchangeEnd, isSettled: boolean): void {
    if (!this.#hasEnded) {
      this.#hasEnded = true;
      this.#sink.onEnd(end);
    }
    if (isSettled) this.settle();
  }

  settle(): void {
    if (this.#hasSettled) return;
    this.#hasSettled = true;
    this.#sink.onSettled();
  }
}
