import type { CancelTimer, Clock } from "../../system/deps.ts";

/** The least time between two beats that answer hellos. */
const REPLY_MS = 50;

/**
 * Returns the milliseconds until the wall clock is at the next multiple of a period. Servers whose clocks agree send at the
 * same moments, so that each of them wakes up once for the messages of all others.
 */
export function msToNext(periodMs: number, clock: Pick<Clock, "now">): number {
  return periodMs - (clock.now() % periodMs);
}

/** Schedules a server's beats: one in each period, and one soon after other servers have said hello. */
export class Beats {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #send: () => void;
  #cancelNext: CancelTimer = () => {};
  #cancelReply: CancelTimer | undefined;
  #repliedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, periodMs: number, send: () => void) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#send = send;
    this.#awaitNext();
  }

  /** Answers a hello. Many servers that start at once get one beat together. */
  reply(): void {
    const wait = this.#repliedAt + REPLY_MS - this.#clock.elapsed();
    this.#cancelReply ??= this.#clock.after(Math.max(0, wait), () => {
      this.#cancelReply = undefined;
      this.#repliedAt = this.#clock.elapsed();
      this.#send();
    });
  }

  stop(): void {
    this.#cancelNext();
    this.#cancelReply?.();
  }

  #awaitNext(): void {
    this.#cancelNext = this.#clock.after(msToNext(this.#periodMs, this.#clock), () => {
      this.#awaitNext();
      this.#send();
    });
  }
}
