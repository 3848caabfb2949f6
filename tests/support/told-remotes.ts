import type { PoolOffers } from "../../src/cluster/offers/offers.ts";
import type { Owner } from "../../src/cluster/offers/owners.ts";
import type { Demand } from "../../src/pool/directory.ts";
import type { Pool } from "../../src/pool/pool.ts";
import type { RemoteChoice, RemoteNeeds, RemoteSlot } from "../../src/pool/remotes.ts";
import type { FakeClock } from "./fake-clock.ts";
import { ScriptedRemotes } from "./scripted-remotes.ts";

/** The server that is told. */
export interface ToldHost {
  readonly cluster: { readonly clock: FakeClock; readonly random: () => number };
  readonly pool: Pool;
  /** Returns a slot on a peer: the one that it has offered, or any that is free. */
  slotAt(peer: string, model: string, slot: string | undefined, onRefused: () => void): RemoteSlot;
}

/** What one server knows of the others. What they tell of their load is as old as messages are. */
export class ToldRemotes extends ScriptedRemotes {
  readonly #host: ToldHost;
  /** Slots that were taken here since a peer has told its load, by peer. */
  readonly #mine = new Map<string, number>();

  constructor(host: ToldHost) {
    super(host.cluster.clock);
    this.#host = host;
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
    this.#host.pool.peers.onRemotesChange(
      new Set(workers.flatMap(({ models, slots, busy }) => (slots > busy ? models : []))),
    );
  }

  forget(peer: string): void {
    const gone = this.workers.filter(({ server }) => server === peer);
    this.told(peer, []);
    this.#host.pool.peers.onRemotesChange(new Set(gone.flatMap(({ models }) => models)));
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
    let left = this.#host.cluster.random() * sum;
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
    return this.#host.slotAt(server, model, undefined, () => {
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
