import type { CancelTimer, Clock } from "../system/deps.ts";

/** Time between measurements in milliseconds: no block of a quarter of a second is missed, and an idle server sleeps. */
const SAMPLE_MS = 250;

/** How many measurements are kept: those of the last minute. */
const SAMPLES = 240;

/**
 * How late the event loop runs timers, in milliseconds, over the last minute. The runtime's own monitor would wake an idle
 * process a hundred times a second.
 */
export class EventLoopLag {
  readonly #lags = new Float64Array(SAMPLES);
  #count = 0;
  #next = 0;

  /** Measures until the returned function is called. */
  start(clock: Clock): CancelTimer {
    let last = clock.elapsed();
    return clock.every(SAMPLE_MS, () => {
      const now = clock.elapsed();
      this.observe(now - last - SAMPLE_MS);
      last = now;
    });
  }

  observe(ms: number): void {
    this.#lags[this.#next] = Math.max(0, ms);
    this.#next = (this.#next + 1) % SAMPLES;
    this.#count = Math.min(SAMPLES, this.#count + 1);
  }

  /** Returns the lags in ascending order; one of zero if there was no measurement yet. */
  sorted(): Float64Array {
    return this.#count === 0 ? new Float64Array(1) : this.#lags.slice(0, this.#count).sort();
  }
}

/** The metrics of the event loop, by the part of the name that says what each is of the ascending lags. */
export const LAG_METRICS: readonly (readonly [name: string, help: string, of: (sorted: Float64Array) => number])[] = [
  ["min", "Shortest", (sorted) => sorted[0] ?? 0],
  ["max", "Longest", (sorted) => sorted.at(-1) ?? 0],
  ["mean", "Mean", (sorted) => sorted.reduce((sum, lag) => sum + lag, 0) / sorted.length],
  ["p50", "Median", (sorted) => quantile(sorted, 0.5)],
  ["p90", "90th percentile of the", (sorted) => quantile(sorted, 0.9)],
  ["p99", "99th percentile of the", (sorted) => quantile(sorted, 0.99)],
];

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
