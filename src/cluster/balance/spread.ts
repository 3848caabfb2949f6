/** A server with more than this times the mean of workers sends some of them away. */
const MOST = 1.25;
/** It goes on until it has this times the mean. */
const TARGET = 1.05;
/** The part of a server's workers that are told to move in a second. At least one is. */
const SHARE = 0.01;
/**
 * How many workers are told to move for each one that should, because a load balancer sends some of them back to the same
 * server.
 */
const TRIES = 2;
/** The pause after a round of moves. It doubles with each further round, up to the longest one. */
const FIRST_PAUSE_MS = 10 * 60_000;
const LONGEST_PAUSE_MS = 6 * 60 * 60_000;

/**
 * Decides how many workers of one plugin should move from this server to others. A round of moves has a limited number, and
 * the pauses between rounds grow, so that servers whose load balancer spreads connections in another way do not move workers
 * for ever.
 */
export class Spread {
  #triesLeft: number | undefined;
  #rounds = 0;
  #restsUntil = Number.NEGATIVE_INFINITY;

  /** Whether a round of moves is under way. */
  get isMoving(): boolean {
    return this.#triesLeft !== undefined;
  }

  /**
   * Returns how many workers should be told to move now. Called once a second. `own` and `others` are the workers of this server
   * and of each other one, without those that are moving away; `now` is `Clock.elapsed`.
   */
  look(own: number, others: readonly number[], now: number): number {
    const mean = others.reduce((sum, count) => sum + count, own) / (others.length + 1);
    const target = Math.max(Math.ceil(mean), Math.floor(TARGET * mean));
    // A move between servers that differ by one worker would only exchange their places.
    const helps = own > target && own - Math.min(...others) > 1;
    if (this.#triesLeft === undefined) {
      if (now < this.#restsUntil || own <= MOST * mean || !helps) return 0;
      this.#triesLeft = TRIES * (own - target);
    }
    if (!helps || this.#triesLeft <= 0) {
      this.#end(now);
      return 0;
    }
    return Math.min(Math.max(1, Math.floor(own * SHARE)), own - target, this.#triesLeft);
  }

  /** Notes that this many workers were told to move. */
  moved(count: number): void {
    if (this.#triesLeft !== undefined) this.#triesLeft -= count;
  }

  #end(now: number): void {
    this.#triesLeft = undefined;
    this.#restsUntil = now + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#rounds, 30));
    this.#rounds += 1;
  }
}
