import type { CancelTimer, Clock } from "./deps.ts";

/** Work that a peer does for us and that can come to a halt, such as an exchange. */
export interface Progress {
  /** `Clock.elapsed` of the last sign of progress. */
  readonly lastProgressAt: number;
  /** True while the other side cannot go on until we do something: its silence is then a stall of ours. */
  readonly isWaitingForUs: boolean;
}

/** Longest halts in milliseconds; `Infinity` allows any. Read again at every look, so they may change while a watch runs. */
export interface SilenceLimits {
  /** How long the other side may be silent. */
  readonly silenceMs: number;
  /** How long the other side may have to wait for us. */
  readonly stallMs: number;
}

/** The longest delay that a JavaScript timer supports; a longer one fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `onHalt` once, when `progress` has stood still for longer than the limit that applies; `isStall` tells whether the
 * other side was waiting for us. Time that a look found allowed by an infinite limit does not count towards the other one.
 *
 * Progress costs nothing: it moves a number that the one timer looks at when it fires. The shorter limit sets the pace of
 * these looks, so a halt is noticed at most that much late. Every exchange has a watch, so this is an object that is stopped
 * and not a function that returns one: it costs one closure, that of its timer.
 */
export class SilenceWatch {
  readonly #clock: Clock;
  readonly #progress: Progress;
  readonly #limits: SilenceLimits;
  readonly #onHalt: (isStall: boolean) => void;
  #excusedAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: CancelTimer;

  /** Starts the watch. */
  constructor(clock: Clock, progress: Progress, limits: SilenceLimits, onHalt: (isStall: boolean) => void) {
    this.#clock = clock;
    this.#progress = progress;
    this.#limits = limits;
    this.#onHalt = onHalt;
    this.#cancelTimer = this.#lookIn(Number.POSITIVE_INFINITY);
  }

  /** Ends the watch. It may be called at any time, and more than once. */
  stop(): void {
    this.#cancelTimer();
  }

  #lookIn(ms: number): CancelTimer {
    const { silenceMs, stallMs } = this.#limits;
    return this.#clock.after(Math.min(ms, silenceMs, stallMs, MAX_TIMER_MS), () => this.#look());
  }

  #look(): void {
    const isStall = this.#progress.isWaitingForUs;
    const limitMs = isStall ? this.#limits.stallMs : this.#limits.silenceMs;
    const now = this.#clock.elapsed();
    if (limitMs === Number.POSITIVE_INFINITY) this.#excusedAt = now;
    const leftMs = Math.max(this.#progress.lastProgressAt, this.#excusedAt) + limitMs - now;
    if (leftMs > 0) this.#cancelTimer = this.#lookIn(leftMs);
    else this.#onHalt(isStall);
  }
}
