/** Length of the window in seconds. */
const WINDOW = 60;

/** Buckets per factor of ten. Each is 7.5 % wide, so a quantile is within 4 % of the exact one. */
const PER_DECADE = 32;

/** Shortest time in milliseconds; shorter ones count in the first bucket. */
const SHORTEST = 0.1;

/** Nine decades, from a tenth of a millisecond to a day; longer times count in the last bucket. */
const BUCKETS = 9 * PER_DECADE;

/**
 * Times of the last minute, as counts in buckets of growing width. An observation costs a logarithm and two additions, and
 * the memory (70 KiB) is the same for one observation a minute and for a million a second.
 */
export class RecentTimes {
  /** The counts of each second, one after the other. */
  readonly #seconds = new Uint32Array(WINDOW * BUCKETS);
  readonly #total = new Uint32Array(BUCKETS);
  #second = 0;
  #count = 0;

  /** Counts a time in milliseconds. Negative numbers and NaN are ignored. */
  observe(ms: number): void {
    if (!(ms >= 0)) return;
    const bucket = bucketOf(ms);
    const at = this.#second * BUCKETS + bucket;
    this.#seconds[at] = (this.#seconds[at] ?? 0) + 1;
    this.#total[bucket] = (this.#total[bucket] ?? 0) + 1;
    this.#count += 1;
  }

  /** Begins the next second and drops the oldest one. The owner MUST call it once a second. */
  advance(): void {
    this.#second = (this.#second + 1) % WINDOW;
    const start = this.#second * BUCKETS;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const gone = this.#seconds[start + bucket] ?? 0;
      if (gone === 0) continue;
      this.#total[bucket] = (this.#total[bucket] ?? 0) - gone;
      this.#count -= gone;
      this.#seconds[start + bucket] = 0;
    }
  }

  /** The time in milliseconds that a share (0 to 1) of the times did not exceed; null without times. */
  quantile(share: number): number | null {
    if (this.#count === 0) return null;
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#total[bucket] ?? 0;
      if (seen >= wanted) return rounded(SHORTEST * 10 ** ((bucket + 0.5) / PER_DECADE));
    }
    return null;
  }
}

function bucketOf(ms: number): number {
  if (ms <= SHORTEST) return 0;
  return Math.min(BUCKETS - 1, Math.floor(Math.log10(ms / SHORTEST) * PER_DECADE));
}

/** Rounds to three digits; the buckets support no more. */
function rounded(ms: number): number {
  return Number(ms.toPrecision(3));
}
