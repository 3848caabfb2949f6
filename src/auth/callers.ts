import { Fault } from "../errors.ts";

/** What one caller may have under way at once; 0 sets no limit. */
export interface CallerLimits {
  readonly perKey: number;
  readonly perAddress: number;
}

interface Visit {
  /** Costs a look-up, so it is asked only once it can matter. */
  readonly address: () => string;
  bucket: string | undefined;
}

/**
 * Requests under way, by who makes them, so that one key or one address cannot take every place in the queue, nor fill the
 * memory with bodies. Addresses are not looked at while fewer requests are under way than one of them may have: until
 * then nobody can have too many.
 */
export class Callers {
  readonly #limits: CallerLimits;
  readonly #byKey = new Map<string, number>();
  readonly #byAddress = new Map<string, number>();
  /** Those whose address nobody has asked for yet. */
  readonly #unasked = new Set<Visit>();
  #underWay = 0;

  constructor(limits: CallerLimits) {
    this.#limits = limits;
  }

  /**
   * Counts a request in. What is returned counts it out, and may be called more than once. Throws `too_many_requests`.
   * `key` is a name, never the key itself; undefined where none is asked for, which then counts by address alone.
   */
  enter(key: string | undefined, address: () => string): () => void {
    const visit: Visit = { address, bucket: undefined };
    const { perKey, perAddress } = this.#limits;
    if (key !== undefined && perKey > 0 && countOf(this.#byKey, key) >= perKey) throw refusal("key", perKey);
    if (perAddress > 0 && this.#underWay >= perAddress) {
      for (const each of this.#unasked) this.#ask(each);
      const bucket = address();
      if (countOf(this.#byAddress, bucket) >= perAddress) throw refusal("address", perAddress);
      visit.bucket = bucket;
      add(this.#byAddress, bucket, 1);
    } else if (perAddress > 0) {
      this.#unasked.add(visit);
    }
    if (key !== undefined) add(this.#byKey, key, 1);
    this.#underWay += 1;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#underWay -= 1;
      if (key !== undefined) add(this.#byKey, key, -1);
      if (visit.bucket === undefined) this.#unasked.delete(visit);
      else add(this.#byAddress, visit.bucket, -1);
    };
  }

  /** Requests under way, of everybody. */
  get underWay(): number {
    return this.#underWay;
  }

  #ask(visit: Visit): void {
    this.#unasked.delete(visit);
    visit.bucket = visit.address();
    add(this.#byAddress, visit.bucket, 1);
  }
}

/** When another try makes sense: what is under way ends at any time. */
const RETRY_AFTER_S = 2;

function refusal(what: "key" | "address", limit: number): Fault {
  return new Fault("too_many_requests", {
    message: `This ${what} has ${limit} requests under way, which is as many as it may. Try again when some have ended.`,
    retryAfterS: RETRY_AFTER_S,
  });
}

function countOf(counts: ReadonlyMap<string, number>, name: string): number {
  return counts.get(name) ?? 0;
}

/** Nobody who has nothing under way is remembered. */
function add(counts: Map<string, number>, name: string, by: 1 | -1): void {
  const count = countOf(counts, name) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
