import type { Clock } from "../system/deps.ts";

/** What was asked for, so that one name for two different requests is noticed. */
export interface Asked {
  /** Everything but the time. */
  readonly what: string;
  /** When the key expires. Programs compute it from their clock, so each repetition of a request has a later one. */
  readonly expiresAt?: number | undefined;
}

/** The text of a key that was made for a request. */
export interface Answer {
  readonly text: string;
  readonly asked: Asked;
}

interface Kept extends Answer {
  /** `Clock.elapsed`. */
  readonly keptAt: number;
}

/** How long an answer can be repeated. A client that lost it tries again within minutes. */
const KEPT_MS = 3_600_000;
/** How far the time between two requests may differ on the clocks of client and server. */
const CLOCK_SLACK_MS = 60_000;
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

  /** Whether a request asks for the same as the one that an answer was made for. */
  isFor(operation: string, { what, expiresAt }: Asked): boolean {
    const kept = this.#kept.get(operation);
    if (kept?.asked.what !== what) return false;
    const earlier = kept.asked.expiresAt;
    if (earlier === undefined || expiresAt === undefined) return earlier === expiresAt;
    const later = expiresAt - earlier;
    return later >= -CLOCK_SLACK_MS && later <= this.#clock.elapsed() - kept.keptAt + CLOCK_SLACK_MS;
  }

  keep(operation: string, answer: Answer): void {
    this.#forgetOld();
    this.#kept.delete(operation);
    this.#kept.set(operation, { ...answer, keptAt: this.#clock.elapsed() });
    if (this.#kept.size > MAX_ANSWERS) this.#forgetFirst();
  }

  #forgetOld(): void {
    const now = this.#clock.elapsed();
    for (const [operation, { keptAt }] of this.#kept) {
      if (now - keptAt < KEPT_MS) return;
      this.#kept.delete(operation);
    }
  }

  #forgetFirst(): void {
    const first = this.#kept.keys().next();
    if (!first.done) this.#kept.delete(first.value);
  }
}
