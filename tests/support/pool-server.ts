import { Offers, type PoolOffers } from "../../src/cluster/offers/offers.ts";
import { ServiceNews } from "../../src/cluster/sharing/shared-service.ts";
import { Tells } from "../../src/cluster/tells.ts";
import type { HeldClaim } from "../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../src/pool/excluded.ts";
import { FairQueue } from "../../src/pool/policies/fair/fair-queue.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { PeerRequest, RemoteSlot } from "../../src/pool/remotes.ts";
import type { FakeClock } from "./fake-clock.ts";
import { LinkedExchange } from "./linked-exchange.ts";
import type { MemoryLine, MemoryLinks } from "./memory-links.ts";
import { ToldRemotes } from "./told-remotes.ts";
import { WorkingSession } from "./working-session.ts";

/** How often a server tells its load, unless it has no free slot any more or has one again. */
const LOAD_PERIOD_MS = 250;
const URGENT_PERIOD_MS = 50;

interface ServedExchange {
  cancel(): void;
}

/** The cluster of a server, which is the same for all of its servers. */
export interface ServerHost {
  readonly clock: FakeClock;
  readonly links: MemoryLinks;
  readonly random: () => number;
  find(id: string): PoolServer;
  /** Notes that a worker has been given the job of this number. */
  noteOpen(number: number): void;
}

export interface PoolServerOptions {
  /** Without offers, each server wakes only its own jobs for its slots. */
  readonly hasOffers?: boolean;
  readonly queueTimeoutMs?: number;
}

/** One server of the cluster. */
export class PoolServer {
  readonly id: string;
  readonly cluster: ServerHost;
  readonly pool: Pool;
  readonly offers: PoolOffers | undefined;
  readonly sessions: WorkingSession[] = [];
  /** Claims of peers that found no slot. */
  refusals = 0;
  /** Jobs of peers that this server has passed on to a third one, which MUST NOT happen. */
  secondHops = 0;
  readonly line: MemoryLine;
  readonly #remotes: ToldRemotes;
  /** The exchanges of this server's jobs at peers, and those of peers here. */
  readonly #asked = new Set<LinkedExchange>();
  readonly #served = new Map<ServedExchange, string>();
  #toldFree: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #isTelling = false;

  constructor(id: string, cluster: ServerHost, { hasOffers = true, queueTimeoutMs = 3_600_000 }: PoolServerOptions) {
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
    const session = new WorkingSession(workerId, models, slots, this.cluster.clock, {
      onOpen: (number) => this.cluster.noteOpen(number),
      onChange: this.#loadChanged,
    });
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
    if (claim.worker.server !== undefined) this.secondHops += 1;
    const own = claim.open(request, {
      onHead: (head) => reply(() => exchange.head(head)),
      onData: (bytes) => {
        own.consumed(bytes.length);
        reply(() => exchange.data(bytes));
      },
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
