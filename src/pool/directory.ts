import type { Clock } from "../system/deps.ts";
import type { Session } from "../tunnel/session.ts";
import { isAble, isOwn, type Needs, servesTenant } from "./able.ts";
import { aliasKey, listedName } from "./alias.ts";
import { AliasIndex } from "./alias-index.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import { Known } from "./known.ts";
import { ModelSeats, type SeatIndex } from "./model-seats.ts";
import { type ModelsElsewhere, Naming } from "./naming.ts";
import type { Affinity } from "./routing/affinity.ts";
import type { Route } from "./routing/route.ts";
import type { Choice, RoutePolicy } from "./routing/route-policy.ts";
import { Seat, type SeatModel, type Work } from "./seat.ts";
import { VisibleNames } from "./visible-names.ts";

/** The requirements that a job has for its worker. */
export interface Demand extends Needs {
  readonly model: string;
  /** The only worker that may serve it; undefined if any may. */
  readonly workerId?: string | undefined;
  /** Why only that worker may serve it: the client named it, unless given. */
  readonly workerReason?: "response" | undefined;
  /** Finds the workers that have the prompt in their caches; undefined if nobody looks for them. */
  readonly affinity?: Affinity | undefined;
  /** Whether only this very model will do, under any of its names, and no other variant of it. */
  readonly exact: boolean;
  /** Whether workers that serve only the caller's tenant come before others while they have room. Absent: no. */
  readonly prefersOwn?: boolean | undefined;
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
  readonly #visible: VisibleNames;
  readonly #policy: RoutePolicy;
  readonly naming: Naming;
  readonly #index: SeatIndex = { bySession: this.#seats, byWorker: this.#byWorker };
  #offersRevision = 0;
  /** Called after each change of a seat: of its offer, its held slots or its health, and when it comes or goes. */
  onSeat: ((seat: Seat) => void) | undefined;

  /** `elsewhere` has the models of peers, which count when the best match for a name is chosen. */
  constructor(clock: Clock, graceMs: number, policy: RoutePolicy, elsewhere?: ModelsElsewhere) {
    this.#policy = policy;
    this.#models = new Known(clock, graceMs);
    this.#aliases = new AliasIndex(clock, graceMs);
    this.naming = new Naming(this.#byModel, this.#aliases, elsewhere);
    this.#workers = new Known(clock, graceMs);
    this.#visible = new VisibleNames(clock, graceMs);
  }

  get size(): number {
    return this.#seats.size;
  }

  /** Whether some worker serves or served only certain tenants. While none does, all callers see the same. */
  get isDivided(): boolean {
    return this.#visible.isDivided;
  }

  /** Counts the seats that serve the callers of a tenant. Looks at every seat, unless all callers see the same. */
  sizeFor(tenant: string | undefined): number {
    if (tenant === undefined || !this.isDivided) return this.size;
    return [...this.#seats.values()].filter(({ session }) => servesTenant(session, tenant)).length;
  }

  seats(): Iterable<Seat> {
    return this.#seats.values();
  }

  seatFor(session: Session): Seat | undefined {
    return this.#seats.get(session.id);
  }

  hasSession(sessionId: string): boolean {
    return this.#seats.has(sessionId);
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
    return this.#byModel.get(model)?.members.size ?? 0;
  }

  /** Whether a worker that serves the callers of a tenant (of any, if undefined) is here, or was within the grace period. */
  isKnownWorker(workerId: string, tenant?: string): boolean {
    if (tenant !== undefined && this.isDivided) return this.#visible.hasWorker(workerId, tenant);
    return this.#workers.has(workerId);
  }

  /** Whether the model, or a stand-in for it, is served now or was served within the grace period. */
  isKnownModel(demand: Demand): boolean {
    const { model, tenant } = demand;
    const listed = listedName(model);
    const alias = demand.exact ? undefined : aliasKey(listed);
    if (tenant !== undefined && this.#visible.isDivided) {
      if (this.#visible.hasModel(model, tenant) || this.#visible.hasModel(listed, tenant)) return true;
      return alias !== undefined && this.#visible.hasAlias(alias, tenant);
    }
    if (this.#models.has(model) || this.#models.has(listed)) return true;
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

  /** Takes a seat away. Returns false if a newer session of the same worker has a seat. */
  unseat(seat: Seat): boolean {
    const { session } = seat;
    this.#seats.delete(session.id);
    // A newer session of the same worker may have taken over the id, and then keeps it.
    const isLast = this.#byWorker.get(session.worker.id) === seat;
    if (isLast) {
      this.#byWorker.delete(session.worker.id);
      this.#workers.left(session.worker.id);
    }
    this.#leave(seat);
    this.onSeat?.(seat);
    return isLast;
  }

  /**
   * Chooses a seat with room that serves the demand, by the route policy. Of several models that may stand in for the one
   * in demand, it takes the first, in the order of `byPreference`, for which the policy has a seat.
   */
  choose(demand: Demand): Choice | undefined {
    const { model, workerId } = demand;
    if (workerId !== undefined) return this.#named(workerId, demand);
    const exact = this.chooseModel(model, demand);
    if (exact) return exact;
    for (const name of this.naming.namesFor(demand)) {
      const choice = this.chooseModel(name, demand);
      if (choice) return choice;
    }
    return undefined;
  }

  /** Chooses a seat with room that serves exactly this model, for a demand that names no worker. */
  chooseModel(model: string, demand: Demand): Choice | undefined {
    const seats = this.#byModel.get(model);
    if (!seats) return undefined;
    const { excluded, exchangeKind, prefersOwn, tenant } = demand;
    const acceptsAll = excluded === NONE_EXCLUDED && exchangeKind === undefined && !seats.isDivided;
    const accepts = acceptsAll ? undefined : ({ seat }: SeatModel): boolean => isAble(seat.session, demand);
    if (accepts && prefersOwn && seats.isDivided) {
      const isOwnSeat = (served: SeatModel): boolean => isOwn(served.seat.session, tenant) && accepts(served);
      const own = this.#policy.choose(seats, demand, isOwnSeat);
      if (own) return own;
    }
    return this.#policy.choose(seats, demand, accepts);
  }

  /** Returns the model of a seat that may get a job which waits, when its slot becomes free; undefined if none may. */
  serves(seat: Seat, demand: Demand): SeatModel | undefined {
    if (!isAble(seat.session, demand)) return undefined;
    const model = this.naming.modelOn(seat, demand);
    const to = model === undefined ? undefined : seat.byModel.get(model);
    const seats = to && this.#byModel.get(to.model);
    if (!seats) return undefined;
    return demand.workerId !== undefined || this.#policy.admits(to, seats, demand) ? to : undefined;
  }

  /** Chooses this seat for a job that waits; undefined if the seat must not get it. */
  admit(seat: Seat, demand: Demand): Choice | undefined {
    const to = this.serves(seat, demand);
    const seats = to && this.#byModel.get(to.model);
    if (!seats) return undefined;
    return {
      to,
      route: demand.workerId === undefined ? this.#policy.explain(to, seats, demand) : routeOfNamed(demand),
    };
  }

  /** The part of a job's prompt that a seat probably has in its cache, from 0 to 1; 0 if nothing is known. */
  warmth(seat: Seat, demand: Demand): number {
    return (demand.affinity && this.admit(seat, demand)?.route.share) ?? 0;
  }

  #named(workerId: string, demand: Demand): Choice | undefined {
    const seat = this.#byWorker.get(workerId);
    return seat?.hasRoom ? this.admit(seat, demand) : undefined;
  }

  /** Returns the model that a demand would be served with now, or as soon as a slot is free; undefined for none. */
  resolve(demand: Demand): string | undefined {
    if (demand.workerId === undefined) return this.choose(demand)?.to.model ?? this.naming.namesFor(demand)[0];
    const seat = this.#byWorker.get(demand.workerId);
    return seat && seat.capacity > 0 ? this.naming.modelOn(seat, demand) : undefined;
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
      if (isAble(seat.session, demand) && this.naming.modelOn(seat, demand) !== undefined) return true;
    }
    return false;
  }

  /**
   * Counts the slots of all ready seats that may get the demand, and how many are held. Looks at every seat, unless the demand
   * names its worker.
   */
  loadOf(demand: Demand): { readonly busy: number; readonly slots: number } {
    let [busy, slots] = [0, 0];
    for (const seat of demand.workerId === undefined ? this.#seats.values() : this.#seatsOf(demand.workerId)) {
      if (seat.capacity === 0 || !this.serves(seat, demand)) continue;
      busy += Math.min(seat.busy, seat.capacity);
      slots += seat.capacity;
    }
    return { busy, slots };
  }

  #seatsOf(workerId: string): readonly Seat[] {
    const seat = this.#byWorker.get(workerId);
    return seat ? [seat] : [];
  }

  #enter(seat: Seat): void {
    this.#offersRevision += 1;
    seat.refresh();
    for (const served of seat.byModel.values()) {
      const seats = this.#byModel.get(served.model) ?? new ModelSeats(served.model, this.#index);
      this.#byModel.set(served.model, seats);
      seats.add(served);
      this.#models.arrived(served.model);
    }
    this.#visible.arrived(seat);
    this.#aliases.enter(seat);
    this.rank(seat);
  }

  #leave(seat: Seat): void {
    this.#offersRevision += 1;
    this.#visible.left(seat);
    for (const [model, served] of seat.byModel) {
      const seats = this.#byModel.get(model);
      seats?.remove(served);
      if (!seats || seats.members.size > 0) continue;
      this.#byModel.delete(model);
      this.#models.left(model);
    }
    this.#aliases.leave(seat, (model) => this.#byModel.has(model));
  }

  /** Whether any other seat takes jobs for the model, of a caller whom this one serves. */
  hasOther(served: SeatModel): boolean {
    return this.#byModel.get(served.model)?.hasOther(served) ?? false;
  }

  /** Takes in how fast a job was served. `now` is `Clock.elapsed`. */
  learnSpeed(served: SeatModel, work: Work, now: number): void {
    const seats = this.#byModel.get(served.model);
    if (!seats?.learn(served, work, now)) return;
    for (const each of seats.members)
      if (each.ranked.level && each.ranked.load !== this.#policy.levelOf(each)) this.#rank(each);
  }

  /** Moves a seat to its place in each of its rankings. A full seat is in none. */
  rank(seat: Seat): void {
    for (const served of seat.byModel.values()) this.#rank(served);
    this.onSeat?.(seat);
  }

  #rank(served: SeatModel): void {
    served.ranks?.rank(served, served.seat.hasRoom ? this.#policy.levelOf(served) : undefined);
  }
}

const NAMED: Route = { reason: "named" };
const RESPONSE: Route = { reason: "response" };

function routeOfNamed({ workerReason }: Demand): Route {
  return workerReason === "response" ? RESPONSE : NAMED;
}
