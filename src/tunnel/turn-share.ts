import type { Clock } from "../system/deps.ts";

/** At some 0.06 ms each, what a turn of the event loop can do beside its streams. */
const PER_TURN = 64;
/** The least that a timer waits: other events have their turn meanwhile. */
const TURN_MS = 1;

/**
 * Does small work at once, but no more than a share of each turn: when ten thousand connections break in the same moment,
 * what is left waits in its order for turns to come.
 */
export class TurnShare {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #left = PER_TURN;
  #isTimed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  do(work: () => void): void {
    if (!this.#isTimed) this.#renewLater();
    if (this.#left === 0) return void this.#waiting.push(work);
    this.#left -= 1;
    work();
  }

  #renewLater(): void {
    this.#isTimed = true;
    this.#clock.after(TURN_MS, () => {
      this.#isTimed = false;
      const next = this.#waiting.splice(0, PER_TURN);
      this.#left = PER_TURN - next.length;
      if (this.#waiting.length > 0) this.#renewLater();
      for (const work of next) work();
    });
  }
}
