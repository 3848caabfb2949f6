import type { Clock } from "../system/deps.ts";

/**
 * Taking a worker in costs some 0.2 ms of a core, most of it the upgrade itself (Bun 1.4.5). At this rate a fleet that has
 * lost its connections all at once leaves most of the core to the streams that run, and 10,000 are back in 7 s; the
 * workers' own patience is 10 s.
 */
const PER_SECOND = 1500;
/** Taken without a wait after a quiet time. */
const BURST = 100;
/** A turn of the event loop takes no more than its share. */
const TURN_MS = 10;

/** Lets callers through at a bounded rate, in the order in which they came. The caller bounds how many wait. */
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

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Undefined where there is no need to wait; else resolves when it is the caller's turn. */
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
      // However late this comes: a turn that makes up for all that was missed would hold the others up.
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
