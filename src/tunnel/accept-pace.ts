import type { Clock } from "../system/deps.ts";

/**
 * Upgrades per second. Accepting a worker costs about 0.2 ms of a core, most of it the upgrade itself (Bun 1.4.5). When a
 * fleet reconnects all at once, this rate leaves most of the core to running streams and brings 10,000 workers back in 7 s;
 * workers give up after 10 s.
 */
const PER_SECOND = 1500;
/** Upgrades that need not wait after a quiet time. */
const BURST = 100;
/** The time between two batches of upgrades. */
const TURN_MS = 10;

/** Admits callers at a bounded rate, in order of arrival. It does not bound how many wait: its user must. */
export class AcceptPace {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #tokens = BURST;
  #filledAt: number;
  #isTicking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAt = clock.elapsed();
  }

  /** The number of callers that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Returns undefined if the caller need not wait, else a promise that resolves at its turn. */
  turn(): Promise<void> | undefined {
    this.#fill();
    if (this.#tokens >= 1 && this.#waiting.length === 0) {
      this.#tokens -= 1;
      return undefined;
    }
    if (!this.#isTicking) this.#tick();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #tick(): void {
    this.#isTicking = true;
    this.#clock.after(TURN_MS, () => {
      this.#fill();
      // The batch stays small even when the timer is late: catching up at once would delay running streams.
      const most = Math.min(Math.floor(this.#tokens), Math.ceil((2 * PER_SECOND * TURN_MS) / 1000));
      const next = this.#waiting.splice(0, most);
      this.#tokens -= next.length;
      for (const wake of next) wake();
      this.#isTicking = false;
      if (this.#waiting.length > 0) this.#tick();
    });
  }

  #fill(): void {
    const now = this.#clock.elapsed();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) * PER_SECOND) / 1000);
    this.#filledAt = now;
  }
}
