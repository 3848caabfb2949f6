import type { Clock } from "../../system/deps.ts";

/** Stamps in one millisecond of the wall clock. */
const PER_MS = 1000;

/** The latest stamp that is accepted from another server, in December 2099. A broken clock must not use up the numbers. */
export const MAX_STAMP = 4.1e12 * PER_MS;

/**
 * A hybrid logical clock. Its stamps are roughly microseconds since 1970, and each is later than every stamp that this server
 * has created or received before. So an event that follows from a message has a later stamp than the message, even if the
 * wall clocks of two servers differ by hours.
 */
export class HybridClock {
  readonly #clock: Clock;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns a new stamp. */
  stamp(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(this.#clock.now() * PER_MS));
    return this.#last;
  }

  /** Takes in a stamp of another server. */
  hear(stamp: number): void {
    if (stamp > this.#last && stamp <= MAX_STAMP) this.#last = stamp;
  }
}
