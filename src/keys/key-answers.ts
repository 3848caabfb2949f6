import type { Clock } from "../system/deps.ts";

/** The text of a key that was made for a request. */
export interface Answer {
  readonly text: string;
  /** What was asked for, so that one name for two different requests is noticed. */
  readonly request: string;
}

interface Kept extends Answer {
  /** `Clock.elapsed`. */
  readonly until: number;
}

/** How long an answer can be repeated. A client that lost it tries again within minutes. */
const KEPT_MS = 3_600_000;
/** The most answers that can be repeated. Beyond it, the oldest are forgotten. */
const MAX_ANSWERS = 1000;

/**
 * The texts of keys that were made lately, so that a request which is repeated, because its answer was lost on the way, gets
 * the same answer. They are kept in memory alone, because the text of a key must not be stored anywhere.
 */
export class KeyAnswers {
  readonly #clock: Pick<Clock, "elapsed">;
  /** By the operation, the oldest first. */
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Pick<Clock, "elapsed">) {
    this.#clock = clock;
  }

  find(operation: string): Answer | undefined {
    this.#forgetOld();
    return this.#kept.get(operation);
  }

  keep(operation: string, answer: Answer): void {
    this.#forgetOld();
    this.#kept.delete(operation);
    this.#kept.set(operation, { ...answer, until: this.#clock.elapsed() + KEPT_MS });
    if (this.#kept.size > MAX_ANSWERS) this.#forgetFirst();
  }

  #forgetOld(): void {
    const now = this.#clock.elapsed();
    for (const [operation, { until }] of this.#kept) {
      if (now < until) return;
      this.#kept.delete(operation);
    }
  }

  #forgetFirst(): void {
    const first = this.#kept.keys().next();
    if (!first.done) this.#kept.delete(first.value);
  }
}
