import type { Clock } from "../system/deps.ts";

const WINDOW_MS = 60_000;

/** The most addresses that are remembered, in about 2 MB. Beyond it the oldest is forgotten, so a flood cannot fill memory. */
const MAX_ADDRESSES = 10_000;

interface Failures {
  readonly since: number;
  count: number;
}

/** Counts wrong keys per address. A minute begins with the first one; an address at its limit is refused until it is over. */
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

  /** Returns whether any address has failed within the last minute. If none has, no address needs to be looked up. */
  hasFailures(): boolean {
    if (this.#byAddress.size > 0) this.#forgetOld();
    return this.#byAddress.size > 0;
  }

  /** Returns the whole seconds until `address` may try again, 1 to 60; undefined if it may try now. */
  retryAfterS(address: string): number | undefined {
    const failures = this.#byAddress.get(address);
    if (!failures || failures.count < this.#limit) return undefined;
    const leftMs = failures.since + WINDOW_MS - this.#clock.elapsed();
    return leftMs <= 0 ? undefined : Math.max(1, Math.ceil(leftMs / 1000));
  }

  /** Counts wrong keys of this address. */
  count(address: string, keys = 1): void {
    if (this.#limit === 0) return;
    this.#forgetOld();
    const failures = this.#byAddress.get(address);
    if (failures) {
      failures.count += keys;
      return;
    }
    if (this.#byAddress.size >= MAX_ADDRESSES) this.#forgetFirst();
    this.#byAddress.set(address, { since: this.#clock.elapsed(), count: keys });
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
