/** Numbers for tickets in steps of a microsecond: enough for a million jobs a second. */
const PER_MS = 1000;
/** How many jobs that arrived at the same time at other servers can get different numbers. */
const STEPS = 64;

/**
 * The numbers of a pool's tickets, in the order of their issue. They grow with time, so that a job that has waited at another
 * server can get a number between those of jobs that arrived before and after it.
 */
export class TicketNumbers {
  readonly #startedAt: number;
  #last = 0;
  #step = 0;

  /** All times are `Clock.elapsed`. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** Returns a whole number above all that were returned before. */
  next(now: number): number {
    this.#last = Math.max(this.#last + 1, Math.ceil((now - this.#startedAt) * PER_MS));
    return this.#last;
  }

  /** Returns a number for a job that arrived at this time at another server. It is not a whole number. */
  between(arrivedAt: number): number {
    this.#step = (this.#step % (STEPS - 1)) + 1;
    return Math.floor((arrivedAt - this.#startedAt) * PER_MS) + this.#step / STEPS;
  }
}
