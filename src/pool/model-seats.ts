import { isAble, servesTenant, shareTenant } from "./able.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import { Ranking } from "./ranking.ts";
import { ModelSpeeds } from "./routing/model-speeds.ts";
import type { Accepts, RankedSeats, RouteDemand } from "./routing/route-policy.ts";
import { Speed } from "./routing/speed.ts";
import type { Seat, SeatModel, SeatRanks, Work } from "./seat.ts";

/**
 * The least time between two samples of the speed of one worker, once it has many. Jobs of a language model rarely end
 * faster. Where they do, as with small embeddings, fifty samples a second tell as much as thousands.
 */
const SAMPLE_GAP_MS = 20;

/** The seats of a pool, by the ids of their sessions and of their workers. */
export interface SeatIndex {
  readonly bySession: ReadonlyMap<string, Seat>;
  readonly byWorker: ReadonlyMap<string, Seat>;
}

/** The seats that serve one model. The directory adds, removes and ranks them. */
export class ModelSeats implements RankedSeats, SeatRanks {
  readonly model: string;
  readonly speeds = new ModelSpeeds();
  readonly #index: SeatIndex;
  readonly #members = new Set<SeatModel>();
  /** Those that serve only certain tenants. */
  readonly #ofTenants = new Set<SeatModel>();
  /** Those with room. */
  readonly #ranking = new Ranking<SeatModel>();
  /** Of those that take jobs, busy or not: all, those that are not out, and those that must load the model first. */
  readonly #counts = { ready: 0, healthy: 0, cold: 0 };

  constructor(model: string, index: SeatIndex) {
    this.model = model;
    this.#index = index;
  }

  get members(): ReadonlySet<SeatModel> {
    return this.#members;
  }

  /** Whether some of the seats serve only certain tenants. */
  get isDivided(): boolean {
    return this.#ofTenants.size > 0;
  }

  get ready(): number {
    return this.#counts.ready;
  }

  get healthy(): number {
    return this.#counts.healthy;
  }

  first(accepts?: Accepts): SeatModel | undefined {
    return this.#ranking.first(accepts);
  }

  ofSession(sessionId: string): SeatModel | undefined {
    return this.#index.bySession.get(sessionId)?.byModel.get(this.model);
  }

  hasReady(demand: RouteDemand): boolean {
    return this.#has(demand, this.ready, () => true);
  }

  hasHealthy(demand: RouteDemand): boolean {
    return this.#has(demand, this.healthy, ({ isOut }) => !isOut);
  }

  isOnly({ tenant }: RouteDemand): boolean {
    if (!this.isDivided) return this.ready === 1;
    let count = 0;
    for (const { seat } of this.#members) {
      if (seat.capacity > 0 && servesTenant(seat.session, tenant)) count += 1;
      if (count > 1) return false;
    }
    return count === 1;
  }

  hasCold({ tenant }: RouteDemand): boolean {
    if (!this.isDivided || this.#counts.cold === 0) return this.#counts.cold > 0;
    for (const { seat, isLoaded } of this.#members)
      if (!isLoaded && seat.capacity > 0 && servesTenant(seat.session, tenant)) return true;
    return false;
  }

  /** Whether another member takes jobs of a caller whom this one serves. */
  hasOther(served: SeatModel): boolean {
    if (!this.isDivided) return this.ready > (this.#members.has(served) && served.counted.isReady ? 1 : 0);
    for (const { seat } of this.#members)
      if (seat !== served.seat && seat.capacity > 0 && shareTenant(seat.tenants, served.seat.tenants)) return true;
    return false;
  }

  add(served: SeatModel): void {
    this.#members.add(served);
    if (served.seat.tenants) this.#ofTenants.add(served);
    served.ranks = this;
    this.#count(served);
  }

  remove(served: SeatModel): void {
    this.#members.delete(served);
    this.#ofTenants.delete(served);
    served.ranks = undefined;
    this.#ranking.remove(served.ranked);
    this.#uncount(served);
  }

  /** Takes in how fast a member has served a job. Returns whether the paces of other members may have changed too. */
  learn(served: SeatModel, work: Work, now: number): boolean {
    const { outcome, input, output, firstByteMs, runningMs } = work;
    if (served.speed?.isSettled && now - served.speed.measuredAt < SAMPLE_GAP_MS) return false;
    if (outcome !== "completed" || firstByteMs === undefined || (!input && output === 0)) return false;
    served.speed ??= new Speed();
    const share = served.speed.add({ input, output, firstByteMs, runningMs }, now);
    const isTime = this.speeds.add(share, this.#members.size);
    if (isTime)
      this.speeds.update(
        Array.from(this.#members, ({ speed }) => speed),
        now,
      );
    for (const each of isTime ? this.#members : [served]) each.pace = this.speeds.paceOf(each.speed, now);
    return isTime;
  }

  rank(served: SeatModel, level: number | undefined): void {
    const { counted } = served;
    if (counted.isReady && (counted.isOut !== served.isOut || counted.isLoaded !== served.isLoaded)) {
      this.#uncount(served);
      this.#count(served);
    }
    if (level === undefined) this.#ranking.remove(served.ranked);
    else this.#ranking.place(served.ranked, level);
  }

  /** Whether one of `count` members for which `isOne` is true, and no other, may serve the demand. */
  #has(demand: RouteDemand, count: number, isOne: (served: SeatModel) => boolean): boolean {
    const { excluded, exchangeKind } = demand;
    const isForAll = exchangeKind === undefined && !this.isDivided;
    if (count === 0 || (excluded === NONE_EXCLUDED && isForAll)) return count > 0;
    if (!isForAll) {
      // Neither jobs of other kinds, which are rare, nor tenants have counts of their own: all members are looked at.
      for (const served of this.#members)
        if (served.seat.capacity > 0 && isOne(served) && isAble(served.seat.session, demand)) return true;
      return false;
    }
    const out = new Set<Seat | undefined>();
    for (const id of excluded.sessions) out.add(this.#index.bySession.get(id));
    for (const id of excluded.workers) out.add(this.#index.byWorker.get(id));
    let failed = 0;
    for (const seat of out) {
      const served = seat?.byModel.get(this.model);
      if (seat && served && seat.capacity > 0 && isOne(served)) failed += 1;
    }
    return count > failed;
  }

  #count(served: SeatModel): void {
    const counted = { isReady: served.seat.capacity > 0, isOut: served.isOut, isLoaded: served.isLoaded };
    served.counted = counted;
    this.#sum(counted, 1);
  }

  #uncount(served: SeatModel): void {
    this.#sum(served.counted, -1);
  }

  #sum({ isReady, isOut, isLoaded }: SeatModel["counted"], sign: 1 | -1): void {
    if (!isReady) return;
    this.#counts.ready += sign;
    if (!isOut) this.#counts.healthy += sign;
    if (!isLoaded) this.#counts.cold += sign;
  }
}
