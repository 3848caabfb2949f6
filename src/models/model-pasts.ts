import { POINT_MS, POINTS, type Timeline, Track } from "../figures/timeline.ts";
import {
  type ColumnHistory,
  type ErrorEntry,
  MAX_ERRORS,
  MODEL_COLUMNS,
  type ModelColumn,
  type ModelTotals,
} from "../plugin/details.ts";
import { type CauseCounts, type FailureCause, NO_CAUSES } from "../plugin/failure-cause.ts";
import { Ring } from "../system/ring.ts";
import { LatestTimes } from "./latest-times.ts";

/** The most models that are remembered. Past it, one that no worker has any more is forgotten for each new one. */
const MAX_MODELS = 500;

/** What an ended request adds to the past of its model. */
export interface ModelEnd {
  /** The cause of its failure; undefined for a request that did not fail, or failed by its client's mistake. */
  readonly cause: FailureCause | undefined;
  readonly firstByteMs: number | undefined;
  readonly usage: Readonly<Partial<Record<keyof ModelTotals, number>>> | undefined;
}

/** The gauges of a model at this moment. */
export interface ModelGauges {
  readonly workers: number;
  readonly slots: number;
  readonly inflight: number;
  readonly waiting: number;
}

/** What is remembered of one model. */
export interface ModelPast {
  readonly totals: ModelTotals;
  readonly causes: CauseCounts;
  /** Times in milliseconds; null without any in the last quarter of an hour. `now` is `Clock.elapsed`. */
  firstBytes(now: number): { readonly p50: number | null; readonly p95: number | null };
  /** The newest first. */
  errors(): readonly ErrorEntry[];
  history(): ColumnHistory<ModelColumn>;
}

/**
 * What is remembered of models, under their workers' names: a point of history every five seconds, the last errors, and sums
 * since the server started. A model that is used costs 10 KB, and up to 25 KB once it had 50 errors.
 */
export class ModelPasts {
  readonly #timeline: Timeline;
  readonly #pasts = new Map<string, Past>();
  /** Returns whether a request may name a model now. */
  readonly #isKnown: (model: string) => boolean;

  constructor(timeline: Timeline, isKnown: (model: string) => boolean) {
    this.#timeline = timeline;
    this.#isKnown = isKnown;
  }

  get size(): number {
    return this.#pasts.size;
  }

  of(model: string): ModelPast | undefined {
    return this.#pasts.get(model);
  }

  /** The history of a model without one. */
  emptyHistory(): ColumnHistory<ModelColumn> {
    return new Past(this.#timeline).history();
  }

  /** Counts a request that has ended. `now` is `Clock.elapsed`. */
  ended(model: string, end: ModelEnd, now: number): void {
    this.#pastOf(model)?.end(end, now);
  }

  /** Adds output that is not counted yet, in the unit of speed; below 0 if too much was. */
  progress(model: string, output: number): void {
    this.#pastOf(model)?.add(output);
  }

  failed(model: string, error: ErrorEntry): void {
    this.#pastOf(model)?.fail(error);
  }

  /** Adds the timeline's newest point to the history of each of these models. `ms` is the time since the point before. */
  tick(models: Iterable<readonly [string, ModelGauges]>, ms: number): void {
    for (const [model, gauges] of models) this.#pastOf(model)?.point(gauges, ms);
  }

  /** Returns the past of a model; undefined if there is no room for it. */
  #pastOf(model: string): Past | undefined {
    const known = this.#pasts.get(model);
    if (known) return known;
    if (this.#pasts.size >= MAX_MODELS && !this.#makeRoom()) return undefined;
    const past = new Past(this.#timeline);
    this.#pasts.set(model, past);
    return past;
  }

  #makeRoom(): boolean {
    for (const model of this.#pasts.keys()) {
      if (this.#isKnown(model)) continue;
      this.#pasts.delete(model);
      return true;
    }
    return false;
  }
}

type Sums = { -readonly [name in keyof ModelTotals]: number };

class Past implements ModelPast {
  readonly totals: Sums = {
    requests: 0,
    failures: 0,
    input_tokens: 0,
    cached_tokens: 0,
    output_tokens: 0,
    audio_seconds: 0,
  };
  readonly causes: Record<FailureCause, number> = { ...NO_CAUSES };
  readonly #timeline: Timeline;
  readonly #track = new Track<ModelColumn>(MODEL_COLUMNS);
  readonly #errors = new Ring<ErrorEntry>(MAX_ERRORS);
  /** Created with the first time, because most models of a large pool are not used. */
  #firstBytes: LatestTimes | undefined;
  /** Since the last point. */
  #requests = 0;
  #failures = 0;
  #output = 0;
  #answers = 0;
  #firstByteMs = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  end({ cause, firstByteMs, usage }: ModelEnd, now: number): void {
    this.totals.requests += 1;
    this.#requests += 1;
    if (cause !== undefined) {
      this.totals.failures += 1;
      this.#failures += 1;
      this.causes[cause] += 1;
    }
    if (firstByteMs !== undefined) {
      this.#firstBytes ??= new LatestTimes();
      this.#firstBytes.add(firstByteMs, now);
      this.#answers += 1;
      this.#firstByteMs += firstByteMs;
    }
    if (!usage) return;
    this.totals.input_tokens += usage.input_tokens ?? 0;
    this.totals.cached_tokens += usage.cached_tokens ?? 0;
    this.totals.output_tokens += usage.output_tokens ?? 0;
    this.totals.audio_seconds += usage.audio_seconds ?? 0;
  }

  add(output: number): void {
    this.#output += output;
  }

  fail(error: ErrorEntry): void {
    this.#errors.push(error);
  }

  point({ workers, slots, inflight, waiting }: ModelGauges, ms: number): void {
    this.#track.add(this.#timeline.tick, [
      workers,
      slots,
      inflight,
      waiting,
      this.#requests,
      this.#failures,
      Math.max(0, (this.#output * 1000) / Math.max(1, ms)),
      this.#answers === 0 ? Number.NaN : this.#firstByteMs / this.#answers,
    ]);
    this.#requests = 0;
    this.#failures = 0;
    this.#output = 0;
    this.#answers = 0;
    this.#firstByteMs = 0;
  }

  firstBytes(now: number): { readonly p50: number | null; readonly p95: number | null } {
    const [p50 = null, p95 = null] = this.#firstBytes?.quantiles([0.5, 0.95], now) ?? [];
    return { p50, p95 };
  }

  errors(): readonly ErrorEntry[] {
    return this.#errors.newestFirst();
  }

  history(): ColumnHistory<ModelColumn> {
    return { interval_ms: POINT_MS, capacity: POINTS, samples: this.#track.read(this.#timeline) };
  }
}
