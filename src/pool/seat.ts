import { SlidingSum } from "../figures/sliding-sum.ts";
import type { CancelTimer } from "../system/deps.ts";
import { capacityOf, type Session } from "../tunnel/session.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { statusesIn } from "../wire/model-status.ts";
import { aliasKey } from "./alias.ts";
import { linesOf } from "./lines.ts";
import { createRanked, type Ranked } from "./ranking.ts";
import { RecentOutcomes } from "./recent-outcomes.ts";
import type { Health } from "./routing/health.ts";
import { LastServed } from "./routing/last-served.ts";
import type { Contender } from "./routing/score.ts";
import type { Speed } from "./routing/speed.ts";

/** The amounts that one ended job adds to the totals of its worker. */
export interface Work {
  readonly outcome: "completed" | "failed" | "canceled";
  /** The reason of the worker's failure; undefined if it did not fail. A client's mistake is not a failure of the worker. */
  readonly error: string | undefined;
  /** Milliseconds that the worker had the job. */
  readonly runningMs: number;
  /** The usage that the answer stated, by unit. */
  readonly usage: Readonly<Record<string, number | undefined>> | undefined;
  /** Whether `usage` is an estimate, because the answer stated none. Absent: no. */
  readonly isEstimated?: boolean;
  /** Input that the worker had to process, without what its cache had; undefined if that is not known. */
  readonly input?: number | undefined;
  /** Output of the answer, in the unit of speed. */
  readonly output: number;
  /**
   * What the rate of the worker does not contain of the output yet, below 0 if it contains too much. Absent: all of it,
   * because nothing was counted while the job ran.
   */
  readonly uncounted?: number;
  /** Milliseconds from the sending of the request to the first byte of the answer; undefined without one. */
  readonly firstByteMs?: number | undefined;
}

/** The sum of a worker's work since it took its seat. */
export interface SeatTotals {
  readonly processed: number;
  readonly failures: number;
  readonly processingMs: number;
  /** The last failure in our words; undefined while there was none. */
  readonly lastError: string | undefined;
  /** `Clock.elapsed` at the last failure. */
  readonly lastFailedAt: number | undefined;
  readonly recent: Pick<RecentOutcomes, "size" | "failures">;
  /** The sums of the usage that answers stated, by unit. */
  readonly usage: Readonly<Record<string, number>>;
  /** Output of the last minute, in the unit of speed. */
  readonly output: Pick<SlidingSum, "rate">;
  /** All jobs that ended, canceled ones and those that failed by a client's mistake included. */
  readonly ended: number;
  /** Output of all answers, running ones included, in the unit of speed. It falls where a running one was overestimated. */
  readonly outputSum: number;
  /** How many answers have begun and ended, and the sum of their times to the first byte. */
  readonly firstBytes: number;
  readonly firstByteMsSum: number;
}

const NO_INFO: readonly ModelInfo[] = [];

/** A session in a pool, with its busy count, which decides where jobs go. Only the pool changes it. */
export class Seat {
  readonly session: Session;
  readonly #totals = {
    processed: 0,
    failures: 0,
    processingMs: 0,
    lastError: undefined as string | undefined, // The type of later values, as in the next line.
    lastFailedAt: undefined as number | undefined,
    recent: new RecentOutcomes(),
    usage: {} as Record<string, number>, // Filled as answers state units.
    output: new SlidingSum(),
    ended: 0,
    outputSum: 0,
    firstBytes: 0,
    firstByteMsSum: 0,
  };
  busy = 0;
  /** Ends the rest of a seat whose worker has refused a job; undefined while it does not rest. */
  stopRest: CancelTimer | undefined;
  /** The health of the worker and its link to its backend; undefined before its first failure. */
  health: Health | undefined;
  /** Whether the loss of its link was counted. It ends all jobs of the worker, and is one failure. */
  isLossCounted = false;
  /** Whether an operator has taken it out of service. */
  isDrained = false;
  /** The session's offer when the pool last looked, for comparison after a change. */
  models: readonly string[] = [];
  /** The only tenants that it serves; undefined for all of them. */
  tenants: ReadonlySet<string> | undefined;
  capacity = 0;
  /** The models that it serves. What is known of a model is kept when the offer changes and still contains it. */
  readonly byModel = new Map<string, SeatModel>();
  /** The worker's own names for models that it offers under another one. */
  readonly #sentAs = new Map<string, string>();
  /** The models that it could use for each alias that it can stand in for. */
  readonly byAlias = new Map<string, string[]>();

  /** The lines of the queue whose tickets it might serve. They are named once for each offer, not for each job that waits. */
  lines: readonly string[] = [];

  constructor(session: Session) {
    this.session = session;
  }

  get totals(): SeatTotals {
    return this.#totals;
  }

  /** Adds an ended job to the totals. `now` is `Clock.elapsed`. */
  count({ outcome, error, runningMs, usage, output, uncounted = output, firstByteMs }: Work, now: number): void {
    const totals = this.#totals;
    totals.ended += 1;
    if (firstByteMs !== undefined) {
      totals.firstBytes += 1;
      totals.firstByteMsSum += firstByteMs;
    }
    if (outcome === "completed") {
      totals.recent.add(false);
      totals.processed += 1;
      totals.processingMs += runningMs;
    } else if (error !== undefined) {
      totals.recent.add(true);
      totals.failures += 1;
      totals.lastFailedAt = now;
      totals.lastError = error;
    }
    for (const unit in usage) totals.usage[unit] = (totals.usage[unit] ?? 0) + (usage[unit] ?? 0);
    this.progress(uncounted, now);
  }

  /** Adds output to the rate. */
  progress(output: number, now: number): void {
    if (output === 0) return;
    this.#totals.output.add(output, now);
    this.#totals.outputSum += output;
  }

  /** What the worker says of its models. */
  get info(): readonly ModelInfo[] {
    return this.session.offer.modelInfo ?? NO_INFO;
  }

  /** Returns the name under which the worker takes a model that it offers. */
  sentAs(model: string): string {
    return this.#sentAs.get(model) ?? model;
  }

  get load(): number {
    return this.capacity === 0 ? 1 : this.busy / this.capacity;
  }

  /** Whether it takes a job now. A resting seat takes none, whatever its count of busy slots. */
  get hasRoom(): boolean {
    return this.busy < this.capacity && this.stopRest === undefined;
  }

  /** Takes over the session's current offer. */
  refresh(): void {
    this.models = this.session.offer.models;
    this.tenants = this.session.offer.tenants;
    this.lines = linesOf(this.session.worker.id, this.models);
    this.capacity = this.isDrained ? 0 : capacityOf(this.session.offer);
    const before = new Map(this.byModel);
    this.byModel.clear();
    this.byAlias.clear();
    this.#sentAs.clear();
    for (const { id, sent_as } of this.info) if (sent_as) this.#sentAs.set(id, sent_as);
    const { offer } = this.session;
    const statusOf = statusesIn(offer);
    for (const model of this.models) {
      const served = before.get(model) ?? new SeatModel(this, model);
      served.refresh(statusOf(model).isLoaded, offer.loaded ?? offer.modelInfo);
      this.byModel.set(model, served);
      const alias = aliasKey(model);
      if (alias === undefined) continue;
      const names = this.byAlias.get(alias);
      if (names) names.push(model);
      else this.byAlias.set(alias, [model]);
    }
  }
}

/** The seats of a model, which are ranked. */
export interface SeatRanks {
  /** Puts a member at its level in the ranking; undefined takes it out, because it has no room. */
  rank(served: SeatModel, level: number | undefined): void;
}

/** One model on one seat: where it stands in the ranking of the model, and what is known of it. Only the pool changes it. */
export class SeatModel implements Contender {
  readonly seat: Seat;
  readonly model: string;
  readonly ranked: Ranked<SeatModel>;
  /** The seats of the model that it is one of; undefined before it is added to them. */
  ranks: SeatRanks | undefined;
  /** Jobs of the model that the worker has now. */
  running = 0;
  /** Undefined before the first job whose speed was measured. */
  speed: Speed | undefined;
  pace = 1;
  /** Undefined before its first failure. */
  health: Health | undefined;
  readonly lastServed = new LastServed();
  /** Ends the time in which the model counts as loaded because a job of it was served. */
  stopStay: CancelTimer | undefined;
  /** Whether the worker says that the model is in memory; undefined if it says nothing. */
  #isToldLoaded: boolean | undefined;
  /** The list that it has said it with. */
  #toldBy: object | undefined;
  /** What the counts of the model's seats contain for this one. */
  counted = { isReady: false, isOut: false, isLoaded: true };

  constructor(seat: Seat, model: string) {
    this.seat = seat;
    this.model = model;
    this.ranked = createRanked<SeatModel>(this);
  }

  get load(): number {
    return this.seat.load;
  }

  /** Whether the worker, or this model on it, is out because it failed too often. */
  get isOut(): boolean {
    return (this.health?.isOut ?? false) || (this.seat.health?.isOut ?? false);
  }

  get isSuspended(): boolean {
    return (this.health?.isSuspended ?? false) || (this.seat.health?.isSuspended ?? false);
  }

  /**
   * Whether a job would find the model in memory. One that the worker is loading now counts too: the next job should wait
   * for it there, and not make another worker load it as well.
   */
  get isLoaded(): boolean {
    return this.#isToldLoaded !== false || this.running > 0 || this.stopStay !== undefined;
  }

  /** Whether the worker has said that the model is not in memory. */
  get isToldCold(): boolean {
    return this.#isToldLoaded === false;
  }

  /**
   * Takes over whether the worker says now that the model is in memory, and the list that says so. A new list overrules what
   * was seen before.
   */
  refresh(isToldLoaded: boolean | undefined, toldBy: object | undefined): void {
    if (toldBy !== this.#toldBy) this.endStay();
    this.#toldBy = toldBy;
    this.#isToldLoaded = isToldLoaded;
  }

  endStay(): void {
    this.stopStay?.();
    this.stopStay = undefined;
  }
}
