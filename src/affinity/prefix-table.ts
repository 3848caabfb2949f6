/** How many sessions a hash remembers: those that got it last. A prompt that many share is on several workers. */
export const SESSIONS_PER_HASH = 4;

/** The end of a list of slots. */
const NONE = -1;

/** The columns of the table. A hash has a slot, and every slot is in one bucket and in the list by age. */
interface Columns {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  /** The next slot of the same bucket. */
  readonly nextInBucket: Int32Array;
  readonly older: Int32Array;
  readonly newer: Int32Array;
  /** `SESSIONS_PER_HASH` cells for each slot, the newest first. 0 for an empty one. */
  readonly refs: Uint32Array;
  /** When each cell was written, in seconds. */
  readonly times: Uint32Array;
  /** The first slot of each bucket. */
  readonly buckets: Int32Array;
}

/**
 * A bounded table from 64-bit hashes to the sessions that have met them. When it is full, it forgets the hash that was
 * learned longest ago. Its memory is a few typed arrays, which are allocated at the first hash: 57 bytes for each.
 */
export class PrefixTable {
  readonly #capacity: number;
  readonly #keepS: number;
  #columns: Columns | undefined;
  #size = 0;
  #oldest = NONE;
  #newest = NONE;
  /** A hash as a bigint and as two halves, which need no further bigints. */
  readonly #hash = new BigUint64Array(1);
  readonly #halves = new Uint32Array(this.#hash.buffer);

  /** `keepMs`: how long a session is remembered for a hash. */
  constructor(capacity: number, keepMs: number) {
    this.#capacity = capacity;
    this.#keepS = Math.floor(keepMs / 1000);
  }

  /** How many hashes it holds. Those that are too old count until they are overwritten. */
  get size(): number {
    return this.#size;
  }

  /** The memory of its arrays. */
  get bytes(): number {
    const columns = this.#columns;
    return columns
      ? Object.values(columns).reduce((sum: number, { byteLength }: Uint32Array) => sum + byteLength, 0)
      : 0;
  }

  /** Writes the sessions of a hash to `into`, the newest first, and returns their number. `now` is `Clock.elapsed`. */
  find(hash: bigint, now: number, into: Uint32Array): number {
    const columns = this.#columns;
    const slot = columns ? this.#slotOf(columns, hash) : NONE;
    if (!columns || slot === NONE) return 0;
    const oldest = toSeconds(now) - this.#keepS;
    let count = 0;
    for (let cell = slot * SESSIONS_PER_HASH; cell < (slot + 1) * SESSIONS_PER_HASH; cell += 1) {
      const ref = columns.refs[cell] ?? 0;
      if (ref === 0 || (columns.times[cell] ?? 0) < oldest) break;
      into[count] = ref;
      count += 1;
    }
    return count;
  }

  /**
   * Remembers that a session was sent a hash. Returns whether that is new: another session was sent it last, or this one was
   * sent it longer ago than a tenth of the time for which it is remembered.
   */
  learn(hash: bigint, ref: number, now: number): boolean {
    this.#columns ??= createColumns(this.#capacity);
    const columns = this.#columns;
    let slot = this.#slotOf(columns, hash);
    if (slot === NONE) slot = this.#add(columns);
    else this.#unlink(columns, slot);
    this.#linkAsNewest(columns, slot);
    const first = slot * SESSIONS_PER_HASH;
    const last = first + SESSIONS_PER_HASH - 1;
    let cell = first;
    while (cell < last && columns.refs[cell] !== ref && columns.refs[cell] !== 0) cell += 1;
    const nowS = toSeconds(now);
    const isNewest = cell === first && columns.refs[cell] === ref;
    const isNews = !isNewest || nowS - (columns.times[cell] ?? 0) > this.#keepS / 10;
    columns.refs.copyWithin(first + 1, first, cell);
    columns.times.copyWithin(first + 1, first, cell);
    columns.refs[first] = ref;
    columns.times[first] = nowS;
    return isNews;
  }

  #slotOf({ low, high, nextInBucket, buckets }: Columns, hash: bigint): number {
    this.#hash[0] = hash;
    const wantedLow = this.#halves[0] ?? 0;
    const wantedHigh = this.#halves[1] ?? 0;
    let slot = buckets[wantedLow & (buckets.length - 1)] ?? NONE;
    while (slot !== NONE && (low[slot] !== wantedLow || high[slot] !== wantedHigh)) slot = nextInBucket[slot] ?? NONE;
    return slot;
  }

  /** Takes a slot for the hash that was looked for last: a new one, or that of the oldest hash. */
  #add(columns: Columns): number {
    const { low, high, nextInBucket, buckets, refs } = columns;
    let slot = this.#size;
    if (slot < this.#capacity) this.#size += 1;
    else {
      slot = this.#oldest;
      this.#unlink(columns, slot);
      removeFromBucket(columns, slot);
      refs.fill(0, slot * SESSIONS_PER_HASH, (slot + 1) * SESSIONS_PER_HASH);
    }
    const wantedLow = this.#halves[0] ?? 0;
    const bucket = wantedLow & (buckets.length - 1);
    low[slot] = wantedLow;
    high[slot] = this.#halves[1] ?? 0;
    nextInBucket[slot] = buckets[bucket] ?? NONE;
    buckets[bucket] = slot;
    return slot;
  }

  #linkAsNewest({ older, newer }: Columns, slot: number): void {
    older[slot] = this.#newest;
    newer[slot] = NONE;
    if (this.#newest === NONE) this.#oldest = slot;
    else newer[this.#newest] = slot;
    this.#newest = slot;
  }

  #unlink({ older, newer }: Columns, slot: number): void {
    const before = older[slot] ?? NONE;
    const after = newer[slot] ?? NONE;
    if (before === NONE) this.#oldest = after;
    else newer[before] = after;
    if (after === NONE) this.#newest = before;
    else older[after] = before;
  }
}

function removeFromBucket({ low, nextInBucket, buckets }: Columns, slot: number): void {
  const bucket = (low[slot] ?? 0) & (buckets.length - 1);
  const following = nextInBucket[slot] ?? NONE;
  let at = buckets[bucket] ?? NONE;
  if (at === slot) {
    buckets[bucket] = following;
    return;
  }
  while (at !== NONE && nextInBucket[at] !== slot) at = nextInBucket[at] ?? NONE;
  if (at !== NONE) nextInBucket[at] = following;
}

function createColumns(capacity: number): Columns {
  const buckets = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2, capacity)))).fill(NONE);
  return {
    low: new Uint32Array(capacity),
    high: new Uint32Array(capacity),
    nextInBucket: new Int32Array(capacity),
    older: new Int32Array(capacity),
    newer: new Int32Array(capacity),
    refs: new Uint32Array(capacity * SESSIONS_PER_HASH),
    times: new Uint32Array(capacity * SESSIONS_PER_HASH),
    buckets,
  };
}

function toSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
