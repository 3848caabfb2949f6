/** How many times are kept. */
const CAPACITY = 256;
/** How long each of them counts. */
const WINDOW_MS = 15 * 60_000;

/** The last 256 times of something that is rarer than what `RecentTimes` measures, in 4 KB instead of 70. */
export class LatestTimes {
  readonly #ms = new Float64Array(CAPACITY);
  /** `Clock.elapsed` of each. */
  readonly #at = new Float64Array(CAPACITY).fill(Number.NEGATIVE_INFINITY);
  #next = 0;

  /** Adds a time in milliseconds. `now` is `Clock.elapsed`. */
  add(ms: number, now: number): void {
    this.#ms[this.#next] = ms;
    this.#at[this.#next] = now;
    this.#next = (this.#next + 1) % CAPACITY;
  }

  /** Returns, for each share (0 to 1), the time that so many of the last quarter of an hour did not exceed; null without any. */
  quantiles(shares: readonly number[], now: number): readonly (number | null)[] {
    const counted = this.#ms.filter((_, place) => now - (this.#at[place] ?? 0) <= WINDOW_MS).sort();
    return shares.map((share) => {
      const time = counted[Math.max(0, Math.ceil(share * counted.length) - 1)];
      return time === undefined ? null : Math.round(time * 10) / 10;
    });
  }
}
