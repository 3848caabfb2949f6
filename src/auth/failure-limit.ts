import type { Clock } from "../system/deps.ts";

const WINDOW_MS = 60_000;

/** Addresses remembered at once, about 2 MB. Beyond it the oldest is forgotten: a flood must not fill the memory. */
const MAX_ADDRESSES = 10_000;

interface Failures {
  readonly since: number;
  count: number;
}

/** Counts wrong keys per address. The minute begins with the first one; who uses it up is refused until it is over. */
export class FailureLimit {
  readonly #limit: number;
  readonly #clock: Clock;
  /** In the order of `since`. */
  readonly #byAddress = new Map<string, Failures>();

  /** `limit` 0 counts nothing. */
  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Whether any address has failed within the last minute: while none has, nobody's address need be looked up. */
  hasFailures(): boolean {
    if (this.#byAddress.size > 0) this.#forgetOld();
    return this.#byAddress.size > 0;
  }

  /** Whole seconds until `address` may try again, 1 to 60; undefined when it may now. */
  retryAfterS(address: string): number | undefined {
    const failures = this.#byAddress.get(address);
    if (!failures || failures.count < this.#limit) return undefined;
    const leftMs = failures.since + WINDOW_MS - this.#clock.elapsed();
    return leftMs <= 0 ? undefined : Math.max(1, Math.ceil(leftMs / 1000));
  }

  /** Counts a wrong key of this address. */
  count(address: string): void {
    if (this.#limit === 0) return;
    this.#forgetOld();
    const failures = this.#byAddress.get(address);
    if (failures) {
      failures.count += 1;
      return;
    }
    if (this.#byAddress.size >= MAX_ADDRESSES) this.#forgetFirst();
    this.#byAddress.set(address, { since: this.#clock.elapsed(), count: 1 });
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
