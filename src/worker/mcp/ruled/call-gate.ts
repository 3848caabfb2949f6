import type { Clock } from "../../../system/deps.ts";

/** How much a caller of the relay's own list may call. An absent limit is none. */
export interface CallLimits {
  /** The most calls that run at once. */
  readonly parallel?: number | undefined;
  readonly requestsPerMinute?: number | undefined;
}

/** Why a call was refused. */
export interface GateRefusal {
  readonly limit: "parallel" | "requests_per_minute";
  readonly retryAfterS: number;
}

const WINDOW_MS = 60_000;

/** Counts the calls of one caller. */
export class CallGate {
  readonly #limits: CallLimits;
  readonly #clock: Clock;
  #running = 0;
  /** When calls began, oldest first. Those before `#first` are more than a minute old; they are never more than the others. */
  #begun: number[] = [];
  #first = 0;

  constructor(limits: CallLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Lets a call in and returns what MUST be called when it has ended, or says why it is refused. */
  enter(): (() => void) | GateRefusal {
    const { parallel, requestsPerMinute } = this.#limits;
    if (parallel !== undefined && this.#running >= parallel) return { limit: "parallel", retryAfterS: 1 };
    if (requestsPerMinute !== undefined) {
      const now = this.#clock.elapsed();
      this.#forgetBefore(now - WINDOW_MS);
      if (this.#begun.length - this.#first >= requestsPerMinute) {
        const waitMs = (this.#begun[this.#first] ?? now) + WINDOW_MS - now;
        return { limit: "requests_per_minute", retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) };
      }
      this.#begun.push(now);
    }
    this.#running += 1;
    let isOver = false;
    return () => {
      if (!isOver) this.#running -= 1;
      isOver = true;
    };
  }

  #forgetBefore(time: number): void {
    while (this.#first < this.#begun.length && (this.#begun[this.#first] ?? 0) <= time) this.#first += 1;
    if (this.#first * 2 <= this.#begun.length) return;
    this.#begun = this.#begun.slice(this.#first);
    this.#first = 0;
  }
}
