/** Seconds that are looked at. */
const WINDOW = 60;

/** Buckets for a factor of ten: each is 7.5 % wide, so a quantile is within 4 % of the exact one. */
const PER_DECADE = 32;

/** Milliseconds: what is shorter falls into the first bucket. */
const SHORTEST = 0.1;

/** From a tenth of a millisecond to a day in nine decades; what is longer falls into the last bucket. */
const BUCKETS = 9 * PER_DECADE;

/**
 * Times of the last minute, as counts in buckets of growing width: an observation costs a logarithm and two additions,
 * and the memory is the same for one a minute and for a million a second (70 KiB).
 */
export class RecentTimes {
  /** Counts second by second, one after the other. */
  readonly #seconds = new Uint32Array(WINDOW * BUCKETS);
  readonly #total = new Uint32Array(BUCKETS);
  #second = 0;
  #count = 0;

  /** Counts a time; anything but a number from 0 on is left out. */
  observe(ms: number): void {
    if (!(ms >= 0)) return;
    const bucket = bucketOf(ms);
    const at = this.#second * BUCKETS + bucket;
    this.#seconds[at] = (this.#seconds[at] ?? 0) + 1;
    this.#total[bucket] = (this.#total[bucket] ?? 0) + 1;
    this.#count += 1;
  }

  /** Begins the next second: to be called once a second. Forgets the one that is now too old. */
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

  /** Milliseconds that this share (0 to 1) of the times did not exceed; null while there are none. */
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

/** Three digits: more would be made up. */
function rounded(ms: number): number {
  return Number(ms.toPrecision(3));
}
