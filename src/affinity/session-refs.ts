/**
 * Small numbers that stand for sessions in a table. A number is given up once its session has not been used for as long as
 * the table remembers anything, so the table never sees it with another meaning: no number is used twice.
 */
export class SessionRefs {
  readonly #keepMs: number;
  readonly #byId = new Map<string, { readonly ref: number; usedAt: number }>();
  readonly #ids = new Map<number, string>();
  #last = 0;
  #sweepAt = FIRST_SWEEP;

  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  get size(): number {
    return this.#ids.size;
  }

  /** Returns the number of a session, from 1 on. `now` is `Clock.elapsed`. */
  use(sessionId: string, now: number): number {
    const known = this.#byId.get(sessionId);
    if (known) {
      known.usedAt = now;
      return known.ref;
    }
    if (this.#ids.size >= this.#sweepAt) this.#sweep(now);
    this.#last += 1;
    this.#byId.set(sessionId, { ref: this.#last, usedAt: now });
    this.#ids.set(this.#last, sessionId);
    return this.#last;
  }

  idOf(ref: number): string | undefined {
    return this.#ids.get(ref);
  }

  /** Gives up what was not used for long. It runs when the number of sessions has doubled. */
  #sweep(now: number): void {
    for (const [id, { ref, usedAt }] of this.#byId) {
      if (now - usedAt <= this.#keepMs) continue;
      this.#byId.delete(id);
      this.#ids.delete(ref);
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#ids.size);
  }
}

const FIRST_SWEEP = 256;
