import type { Clock } from "../system/deps.ts";
import { type Session, takesKind } from "../tunnel/session.ts";
import { aliasKey, byPreference, listedName } from "./alias.ts";
import { AliasIndex } from "./alias-index.ts";
import { type Excluded, isExcluded, NONE_EXCLUDED } from "./excluded.ts";
import { Known } from "./known.ts";
import { ModelSeats } from "./model-seats.ts";
import type { Affinity } from "./routing/affinity.ts";
import { NAMED, RESPONSE, type Route } from "./routing/route.ts";
import type { Choice, RoutePolicy } from "./routing/route-policy.ts";
import { Seat, type SeatModel } from "./seat.ts";

/** The requirements that a job has for its worker. */
export interface Demand {
  readonly model: string;
  /** The only worker that may serve it; undefined if any may. */
  readonly workerId?: string | undefined;
  /** Why only that worker may serve it: the client named it, unless given. */
  readonly workerReason?: "response" | undefined;
  /** Finds the workers that have the prompt in their caches; undefined if nobody looks for them. */
  readonly affinity?: Affinity | undefined;
  /** Whether only this very model will do, under any of its names, and no other variant of it. */
  readonly exact: boolean;
  /** The kind of exchange that the worker must have announced; undefined for HTTP, which needs no announcement. */
  readonly exchangeKind?: string | undefined;
  /** The sessions and workers that must not serve it: they have failed the job. */
  readonly excluded: Excluded;
}

/** The seats of a pool, found by session and by worker, and ranked by the route policy for every model. */
export class Directory {
  /** By the ids of their sessions. */
  readonly #seats = new Map<string, Seat>();
  readonly #byWorker = new Map<string, Seat>();
  readonly #byModel = new Map<string, ModelSeats>();
  readonly #aliases: AliasIndex;
  readonly #models: Known;
  readonly #workers: Known;
  readonly #policy: RoutePolicy;
  #offersRevision = 0;

  constructor(clock: Clock, graceMs: number, policy: RoutePolicy) {
    this.#policy = policy;
    this.#models = new Known(clock, graceMs);
    this.#aliases = new AliasIndex(clock, graceMs);
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
    return this.#byModel.get(model)?.size ?? 0;
  }

  isKnownWorker(workerId: string): boolean {
    return this.#workers.has(workerId);
  }

  /** Whether the model, or a stand-in for it, is served now or was served within the grace period. */
  isKnownModel(demand: Demand): boolean {
    const listed = listedName(demand.model);
    if (this.#models.has(demand.model) || this.#models.has(listed)) return true;
    const alias = demand.exact ? undefined : aliasKey(listed);
    return alias !== undefined && this.#aliases.isKnown(alias);
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
   * Chooses a seat with room that serves the demand, by the route policy. Of several models that may stand in for the one
   * in demand, it takes the first, in the order of `byPreference`, for which the policy has a seat.
   */
  choose(demand: Demand): Choice | undefined {
    const { model, workerId, excluded, exchangeKind } = demand;
    if (workerId !== undefined) return this.#named(workerId, demand);
    const acceptsAll = excluded === NONE_EXCLUDED && exchangeKind === undefined;
    const accepts = acceptsAll ? undefined : ({ seat }: SeatModel): boolean => isAble(seat, demand);
    const seats = this.#byModel.get(model);
    const exact = seats && this.#policy.choose(seats, demand, accepts);
    if (exact) return exact;
    for (const name of this.#namesFor(demand)) {
      const standIns = this.#byModel.get(name);
      const choice = standIns && this.#policy.choose(standIns, demand, accepts);
      if (choice) return choice;
    }
    return undefined;
  }

  /** Chooses for a job that waits the seat whose slot has become free; undefined if the seat must not get it. */
  admit(seat: Seat, demand: Demand): Choice | undefined {
    if (!isAble(seat, demand)) return undefined;
    const model = this.modelOn(seat, demand);
    const to = model === undefined ? undefined : seat.byModel.get(model);
    const seats = to && this.#byModel.get(to.model);
    if (!seats) return undefined;
    const route = demand.workerId === undefined ? this.#policy.admit(to, seats, demand) : routeOfNamed(demand);
    return route && { to, route };
  }

  #named(workerId: string, demand: Demand): Choice | undefined {
    const seat = this.#byWorker.get(workerId);
    return seat?.hasRoom ? this.admit(seat, demand) : undefined;
  }

  /** Returns the model that a demand would be served with now, or as soon as a slot is free; undefined for none. */
  resolve(demand: Demand): string | undefined {
    if (demand.workerId === undefined) return this.choose(demand)?.to.model ?? this.#namesFor(demand)[0];
    const seat = this.#byWorker.get(demand.workerId);
    return seat && seat.capacity > 0 ? this.modelOn(seat, demand) : undefined;
  }

  /** Finds the seats with room that serve a model or could stand in for it. Looks at all seats, but only when one leaves. */
  othersFor(model: string): readonly Seat[] {
    const listed = listedName(model);
    const alias = aliasKey(listed);
    const isServed = this.#byModel.has(model) || this.#byModel.has(listed) || this.#aliases.modelsOf(alias).size > 0;
    if (!isServed) return [];
    return [...this.#seats.values()].filter(
      ({ hasRoom, byModel, byAlias }) =>
        hasRoom && (byModel.has(model) || byModel.has(listed) || (alias !== undefined && byAlias.has(alias))),
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

  /**
   * Counts the slots of all ready seats that serve the demand, and how many are held. Looks at every seat, unless the demand
   * names its worker.
   */
  loadOf(demand: Demand): { readonly busy: number; readonly slots: number } {
    let [busy, slots] = [0, 0];
    for (const seat of demand.workerId === undefined ? this.#seats.values() : this.#seatsOf(demand.workerId)) {
      if (seat.capacity === 0 || !isAble(seat, demand) || this.modelOn(seat, demand) === undefined) continue;
      busy += Math.min(seat.busy, seat.capacity);
      slots += seat.capacity;
    }
    return { busy, slots };
  }

  #seatsOf(workerId: string): readonly Seat[] {
    const seat = this.#byWorker.get(workerId);
    return seat ? [seat] : [];
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
    if (demand.exact) return [];
    return byPreference(model, this.#aliases.modelsOf(aliasKey(listed))).filter((name) => this.#isReady(name, demand));
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
      const entry = this.#byModel.get(model) ?? new ModelSeats(model, this.#seats);
      this.#byModel.set(model, entry);
      entry.size += 1;
      if (seat.capacity > 0) entry.ready += 1;
      this.#models.arrived(model);
    }
    this.#aliases.enter(seat);
    this.rank(seat);
  }

  #leave(seat: Seat): void {
    this.#offersRevision += 1;
    for (const [model, served] of seat.byModel) {
      const entry = this.#byModel.get(model);
      if (!entry) continue;
      entry.ranking.remove(served.ranked);
      entry.size -= 1;
      if (seat.capacity > 0) entry.ready -= 1;
      if (entry.size > 0) continue;
      this.#byModel.delete(model);
      this.#models.left(model);
    }
    this.#aliases.leave(seat, (model) => this.#byModel.has(model));
  }

  /** Moves a seat to its place in each of its rankings. A full seat is in none. */
  rank(seat: Seat): void {
    for (const [model, served] of seat.byModel) {
      const ranking = this.#byModel.get(model)?.ranking;
      if (seat.hasRoom) ranking?.place(served.ranked, this.#policy.levelOf(served));
      else ranking?.remove(served.ranked);
    }
  }
}

/** Returns whether a seat may get a demand, whatever it serves: it is not excluded and announced the kind of exchange. */
export function isAble({ session }: Seat, { excluded, exchangeKind }: Demand): boolean {
  if (exchangeKind !== undefined && !takesKind(session.offer, exchangeKind)) return false;
  return !isExcluded(excluded, session);
}

function routeOfNamed({ workerReason }: Demand): Route {
  return workerReason === "response" ? RESPONSE : NAMED;
}
