import { SlidingSum } from "../figures/sliding-sum.ts";
import { capacityOf, type Session } from "../tunnel/session.ts";
import { aliasKey } from "./alias.ts";
import { createRanked, type Ranked } from "./ranking.ts";
import { RecentOutcomes } from "./recent-outcomes.ts";

/** What a worker has done since it took its seat. */
export interface SeatTotals {
  processed: number;
  failures: number;
  processingMs: number;
  /** The last failure in our words; undefined while there was none. */
  lastError: string | undefined;
  /** `Clock.elapsed` of it. */
  lastFailedAt: number | undefined;
  readonly recent: RecentOutcomes;
  /** What its answers stated that they used, by unit. */
  readonly usage: Map<string, number>;
  /** Output of the last minute, in the unit of speed. */
  readonly output: SlidingSum;
}

/** A session in a pool, with its busy count: the counter that decides who gets a job. Only the pool changes it. */
export class Seat {
  readonly session: Session;
  readonly totals: SeatTotals = {
    processed: 0,
    failures: 0,
    processingMs: 0,
    lastError: undefined,
    lastFailedAt: undefined,
    recent: new RecentOutcomes(),
    usage: new Map(),
    output: new SlidingSum(),
  };
  busy = 0;
  /** An operator wants it to take no more jobs. */
  isDrained = false;
  /** What the session offered when the pool last looked, so that a change can be compared. */
  models: readonly string[] = [];
  capacity = 0;
  /** This seat's place in the ranking of each model it serves. */
  readonly byModel = new Map<string, Ranked<Seat>>();
  /** Its place in the rankings of what its models can stand in for, with the model it would use. */
  readonly byAlias = new Map<string, { readonly place: Ranked<Seat>; readonly model: string }>();

  constructor(session: Session) {
    this.session = session;
  }

  get load(): number {
    return this.capacity === 0 ? 1 : this.busy / this.capacity;
  }

  get hasRoom(): boolean {
    return this.busy < this.capacity;
  }

  /** Takes over what the session offers now. */
  refresh(): void {
    this.models = this.session.offer.models;
    this.capacity = this.isDrained ? 0 : capacityOf(this.session.offer);
    this.byModel.clear();
    this.byAlias.clear();
    for (const model of this.models) {
      this.byModel.set(model, createRanked<Seat>(this));
      const alias = aliasKey(model);
      if (alias !== undefined && !this.byAlias.has(alias))
        this.byAlias.set(alias, { place: createRanked<Seat>(this), model });
    }
  }
}
