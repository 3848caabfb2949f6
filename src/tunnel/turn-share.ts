import type { Clock } from "../system/deps.ts";

/** Pieces of work per turn: at about 0.06 ms each, they leave time for the streams that run. */
const PER_TURN = 64;
/** The shortest wait of a timer. Other events are handled in the meantime. */
const TURN_MS = 1;

/**
 * Does small pieces of work at once, up to a limit for each turn of the event loop. When ten thousand connections break in
 * the same moment, the rest of the work waits, in order, for later turns.
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
