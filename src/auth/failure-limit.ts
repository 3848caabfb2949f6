import type { Clock } from "../system/deps.ts";

const WINDOW_MS = 60_000;

/**
 * The most addresses that are remembered, in about 2 MB. Beyond it the oldest is forgotten, so a flood cannot fill
 * memory.
 */
const MAX_ADDRESSES = 10_000;

interface Failures {
  readonly since: number;
  count: number;
}

/**
 * Counts wrong keys per address. A minute begins with the first wrong key. Beyond the limit, further wrong keys are refused
 * until the minute is over.
 */
export class FailureLimit {
  readonly #limit: number;
  readonly #clock: Clock;
  /** In the order of `since`. */
  readonly #byAddress = new Map<string, Failures>();

  /** `limit` is a number of wrong keys per minute; 0 counts nothing. */
  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /**
   * Counts wrong keys of this address. Returns the whole seconds until its minute is over, 1 to 60, if it was at its limit
   * before; undefined otherwise.
   */
  count(address: string, keys = 1): number | undefined {
    if (this.#limit === 0) return undefined;
    this.#forgetOld();
    const failures = this.#byAddress.get(address);
    if (!failures) {
      if (this.#byAddress.size >= MAX_ADDRESSES) this.#forgetFirst();
      this.#byAddress.set(address, { since: this.#clock.elapsed(), count: keys });
      return undefined;
    }
    if (failures.count < this.#limit) {
      failures.count += keys;
      return undefined;
    }
    const leftMs = failures.since + WINDOW_MS - this.#clock.elapsed();
    return Math.max(1, Math.ceil(leftMs / 1000));
  }

  #forgetOld(): void {
    const oldest = this.#clock.elapsed() - WINDOW_MS;
    for (const [address, { since }] of this.#byAddress) {
      if (since > oldest) return;
      this.#byAddress.delete(address);
    }
  }

  #forgetFirst(): void {
    const first = this.#byAddress.keys().next();
    if (!first.done) this.#byAddress.delete(first.value);
  }
}
