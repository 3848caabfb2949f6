import type { Clock } from "../system/deps.ts";
import { type Session, takesKind } from "../tunnel/session.ts";
import { aliasKey, byPreference, listedName } from "./alias.ts";
import { type Excluded, isExcluded, NONE_EXCLUDED } from "./excluded.ts";
import { Known } from "./known.ts";
import { Ranking } from "./ranking.ts";
import { Seat } from "./seat.ts";

/** The requirements that a job has for its worker. */
export interface Demand {
  readonly model: string;
  /** The only worker that may serve it; undefined if any may. */
  readonly workerId?: string | undefined;
  /** Whether only this very model will do, under any of its names, and no other variant of it. */
  readonly exact: boolean;
  /** The kind of exchange that the worker must have announced; undefined for HTTP, which needs no announcement. */
  readonly exchangeKind?: string | undefined;
  /** The sessions and workers that must not serve it: they have failed the job. */
  readonly excluded: Excluded;
}

/** A seat, and the model that it would serve a demand with. */
export interface Choice {
  readonly seat: Seat;
  readonly model: string;
}

/** The seats of a pool, found by session and by worker, and ranked by load for every model. */
export class Directory {
  /** By the ids of their sessions. */
  readonly #seats = new Map<string, Seat>();
  readonly #byWorker = new Map<string, Seat>();
  readonly #byModel = new Map<string, ModelSeats>();
  /** The models of each alias that some seat serves. */
  readonly #byAlias = new Map<string, Set<string>>();
  readonly #models: Known;
  readonly #aliases: Known;
  readonly #workers: Known;
  #offersRevision = 0;

  constructor(clock: Clock, graceMs: number) {
    this.#models = new Known(clock, graceMs);
    this.#aliases = new Known(clock, graceMs);
    this.#workers = new Known(clock, graceMs);
  }

  get size(): number {
    return this.#seats.size;
  }

  seats(): Iterable<Seat> {
    return this.#seats.values();
  }

  seatFor(session: Session): Seat | undefined {
    return this.#seats.get(session.id);
  }

  seatOf(workerId: string): Seat | undefined {
    return this.#byWorker.get(workerId);
  }

  /** Grows with every change of what the seats offer. */
  get offersRevision(): number {
    return this.#offersRevision;
  }

  knownModels(): string[] {
    return this.#models.names();
  }

  /** Lists the models that some seat takes jobs for, busy or not, sorted. */
  servedModels(): string[] {
    const served: string[] = [];
    for (const [model, { ready }] of this.#byModel) if (ready > 0) served.push(model);
    return served.sort();
  }

  firstSeenAt(model: string): number | undefined {
    return this.#models.firstSeenAt(model);
  }

  workersOf(model: string): number {
    return this.#byModel.get(model)?.seats ?? 0;
  }

  isKnownWorker(workerId: string): boolean {
    return this.#workers.has(workerId);
  }

  /** Whether the model, or a stand-in for it, is served now or was served within the grace period. */
  isKnownModel(demand: Demand): boolean {
    const listed = listedName(demand.model);
    if (this.#models.has(demand.model) || this.#models.has(listed)) return true;
    const alias = demand.exact ? undefined : aliasKey(listed);
    return alias !== undefined && this.#aliases.has(alias);
  }

  /** Gives a session a seat, and ranks the seat for all that it serves. */
  seat(session: Session, isDrained: boolean): Seat {
    const seat = new Seat(session);
    seat.isDrained = isDrained;
    this.#seats.set(session.id, seat);
    this.#byWorker.set(session.worker.id, seat);
    this.#workers.arrived(session.worker.id);
    this.#enter(seat);
    return seat;
  }

  /** Ranks a seat again for the current offer of its session. */
  update(seat: Seat): void {
    this.#leave(seat);
    this.#enter(seat);
  }

  unseat(seat: Seat): void {
    const { session } = seat;
    this.#seats.delete(session.id);
    // A newer session of the same worker may have taken over the id, and then keeps it.
    if (this.#byWorker.get(session.worker.id) === seat) {
      this.#byWorker.delete(session.worker.id);
      this.#workers.left(session.worker.id);
    }
    this.#leave(seat);
  }

  /**
   * Finds the least loaded seat with room that serves the demand, and the model it would serve it with. Of several models
   * that may stand in for the one in demand, it takes the first, in the order of `byPreference`, that has a seat with room.
   */
  choose(demand: Demand): Choice | undefined {
    const { model, workerId, excluded, exchangeKind } = demand;
    const acceptsAll = excluded === NONE_EXCLUDED && exchangeKind === undefined;
    const accepts = acceptsAll ? undefined : (seat: Seat): boolean => isAble(seat, demand);
    if (workerId !== undefined) {
      const seat = this.#byWorker.get(workerId);
      const own = seat?.hasRoom && (accepts?.(seat) ?? true) ? this.modelOn(seat, demand) : undefined;
      return seat && own !== undefined ? { seat, model: own } : undefined;
    }
    const exact = this.#byModel.get(model)?.ranking.first(accepts);
    if (exact) return { seat: exact, model };
    for (const name of this.#namesFor(demand)) {
      const seat = this.#byModel.get(name)?.ranking.first(accepts);
      if (seat) return { seat, model: name };
    }
    return undefined;
  }

  /** Returns the model that a demand would be served with now, or as soon as a slot is free; undefined for none. */
  resolve(demand: Demand): string | undefined {
    if (demand.workerId === undefined) return this.choose(demand)?.model ?? this.#namesFor(demand)[0];
    const seat = this.#byWorker.get(demand.workerId);
    return seat && seat.capacity > 0 ? this.modelOn(seat, demand) : undefined;
  }

  /** Finds the seats with room that could stand in for a model. Looks at all seats, but only when exact ones leave. */
  standInsFor(model: string): readonly Seat[] {
    const listed = listedName(model);
    const alias = aliasKey(listed);
    if (!this.#byModel.has(listed) && (alias === undefined || !this.#byAlias.has(alias))) return [];
    return [...this.#seats.values()].filter(
      (seat) => seat.hasRoom && (seat.byModel.has(listed) || (alias !== undefined && seat.byAlias.has(alias))),
    );
  }

  /** Whether any seat that is not excluded serves the demand; with `ready`, only seats that take jobs, busy or not. */
  isServed(demand: Demand, ready: boolean): boolean {
    for (const seat of this.#seats.values()) {
      if (ready && seat.capacity === 0) continue;
      if (isAble(seat, demand) && this.modelOn(seat, demand) !== undefined) return true;
    }
    return false;
  }

  /** Counts the slots of all seats that serve the demand, and how many are held. Looks at every seat. */
  loadOf(demand: Demand): { readonly busy: number; readonly slots: number } {
    let [busy, slots] = [0, 0];
    for (const seat of this.#seats.values()) {
      if (!isAble(seat, demand) || this.modelOn(seat, demand) === undefined) continue;
      busy += seat.busy;
      slots += seat.capacity;
    }
    return { busy, slots };
  }

  /** Returns the model with which a seat would serve a demand; undefined if it cannot serve it. */
  modelOn(seat: Seat, demand: Demand): string | undefined {
    const { model, exact } = demand;
    if (seat.byModel.has(model)) return model;
    // A worker that was named is asked for what it has. Else a better match that is ready elsewhere is waited for.
    const isAny = demand.workerId === undefined;
    if (isAny && this.#isReady(model, demand)) return undefined;
    const listed = listedName(model);
    if (seat.byModel.has(listed)) return listed;
    if (exact || (isAny && this.#isReady(listed, demand))) return undefined;
    const names = seat.byAlias.get(aliasKey(listed) ?? "");
    return names && byPreference(model, names)[0];
  }

  /**
   * Lists the models that may serve a demand now, best first: the model itself while a worker of it is ready, busy or not;
   * else the same model under the name that Ollama lists; else its stand-ins.
   */
  #namesFor(demand: Demand): readonly string[] {
    const { model } = demand;
    if (this.#isReady(model, demand)) return [model];
    const listed = listedName(model);
    if (this.#isReady(listed, demand)) return [listed];
    const names = demand.exact ? undefined : this.#byAlias.get(aliasKey(listed) ?? "");
    if (!names) return [];
    return byPreference(model, names).filter((name) => this.#isReady(name, demand));
  }

  /** Whether a worker that is not excluded takes jobs for exactly this model, busy or not. */
  #isReady(model: string, demand: Demand): boolean {
    const { excluded, exchangeKind } = demand;
    const ready = this.#byModel.get(model)?.ready ?? 0;
    if (ready === 0 || (excluded === NONE_EXCLUDED && exchangeKind === undefined)) return ready > 0;
    if (exchangeKind !== undefined) {
      // Jobs of other kinds are rare, so they have no counts of their own: all seats are looked at.
      for (const seat of this.#seats.values())
        if (seat.capacity > 0 && seat.byModel.has(model) && isAble(seat, demand)) return true;
      return false;
    }
    const out = new Set<Seat | undefined>();
    for (const id of excluded.sessions) out.add(this.#seats.get(id));
    for (const id of excluded.workers) out.add(this.#byWorker.get(id));
    let failed = 0;
    for (const seat of out) if (seat && seat.capacity > 0 && seat.byModel.has(model)) failed += 1;
    return ready > failed;
  }

  #enter(seat: Seat): void {
    this.#offersRevision += 1;
    seat.refresh();
    for (const model of seat.models) {
      const entry = this.#byModel.get(model) ?? { ranking: new Ranking<Seat>(), seats: 0, ready: 0 };
      this.#byModel.set(model, entry);
      entry.seats += 1;
      if (seat.capacity > 0) entry.ready += 1;
      this.#models.arrived(model);
    }
    for (const [alias, names] of seat.byAlias) {
      const all = this.#byAlias.get(alias) ?? new Set();
      this.#byAlias.set(alias, all);
      for (const name of names) all.add(name);
      this.#aliases.arrived(alias);
    }
    this.rank(seat);
  }

  #leave(seat: Seat): void {
    this.#offersRevision += 1;
    for (const [model, place] of seat.byModel) {
      const entry = this.#byModel.get(model);
      if (!entry) continue;
      entry.ranking.remove(place);
      entry.seats -= 1;
      if (seat.capacity > 0) entry.ready -= 1;
      if (entry.seats > 0) continue;
      this.#byModel.delete(model);
      this.#models.left(model);
    }
    for (const [alias, names] of seat.byAlias) {
      const all = this.#byAlias.get(alias);
      for (const name of names) if (!this.#byModel.has(name)) all?.delete(name);
      if (all?.size !== 0) continue;
      this.#byAlias.delete(alias);
      this.#aliases.left(alias);
    }
  }

  /** Moves a seat to where its load belongs in each of its rankings. A full seat is in none. */
  rank(seat: Seat): void {
    for (const [model, place] of seat.byModel) {
      const ranking = this.#byModel.get(model)?.ranking;
      if (seat.hasRoom) ranking?.place(place, seat.load);
      else ranking?.remove(place);
    }
  }
}

/** Returns whether a seat may get a demand, whatever it serves: it is not excluded and announced the kind of exchange. */
export function isAble({ session }: Seat, { excluded, exchangeKind }: Demand): boolean {
  if (exchangeKind !== undefined && !takesKind(session.offer, exchangeKind)) return false;
  return !isExcluded(excluded, session);
}

interface ModelSeats {
  readonly ranking: Ranking<Seat>;
  /** How many seats serve the model. */
  seats: number;
  /** How many of these have any capacity, busy or not. */
  ready: number;
}
