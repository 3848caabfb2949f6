import { createHash } from "node:crypto";
import type { Clock } from "../../system/deps.ts";

/** A session that nothing was heard of for so long has likely been left without a goodbye. */
const FORGET_AFTER_MS = 30 * 60_000;
/** Per relay. The one that is unused for longest is forgotten first. */
const MAX_SESSIONS = 10_000;

/** A request with its session, from its first byte to the end of its answer. */
export interface SessionUse {
  /** The answer has begun: what it says of the session. `minted` is the id that the answer gives. */
  answered(status: number, minted: string | undefined): void;
  ended(): void;
}

interface Held {
  /** `Clock.elapsed`. */
  usedAt: number;
  /** Requests with it that are under way: a stream may listen for hours. */
  open: number;
}

/**
 * The sessions that clients hold with one MCP server, as far as their requests and answers show. For counting only: the
 * sessions are the MCP server's. Their ids are secrets, so that only digests are kept.
 */
export class HeldSessions {
  readonly #clock: Clock;
  /** In the order of their last use. */
  readonly #held = new Map<string, Held>();
  /** Ids that answers have given. */
  opened = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many are held now. */
  count(): number {
    const now = this.#clock.elapsed();
    for (const [key, held] of this.#held) {
      if (now - held.usedAt <= FORGET_AFTER_MS) break;
      this.#held.delete(key);
      // Back to the end of the line, which is where the loop stops.
      if (held.open > 0) this.#held.set(key, Object.assign(held, { usedAt: now }));
    }
    return this.#held.size;
  }

  /** A request begins; `id` is the session that it names. */
  use(httpMethod: string, id: string | undefined): SessionUse {
    const key = id === undefined ? undefined : toKey(id);
    let held = key === undefined ? undefined : this.#touch(key);
    if (held) held.open += 1;
    return {
      answered: (status, minted) => {
        const isOk = status >= 200 && status < 300;
        if (isOk && minted !== undefined && minted !== id) {
          this.opened += 1;
          this.#add(toKey(minted));
        }
        if (key === undefined) return;
        if (status === 404 || (isOk && httpMethod === "DELETE")) this.#held.delete(key);
        else if (isOk && !held) {
          held = this.#touch(key) ?? this.#add(key);
          held.open += 1;
        }
      },
      ended: () => {
        if (key === undefined || !held) return;
        held.open -= 1;
        this.#touch(key);
      },
    };
  }

  #touch(key: string): Held | undefined {
    const held = this.#held.get(key);
    if (!held) return undefined;
    held.usedAt = this.#clock.elapsed();
    this.#held.delete(key);
    this.#held.set(key, held);
    return held;
  }

  #add(key: string): Held {
    this.count();
    const held: Held = { usedAt: this.#clock.elapsed(), open: 0 };
    this.#held.set(key, held);
    const oldest = this.#held.size > MAX_SESSIONS ? this.#held.keys().next().value : undefined;
    if (oldest !== undefined) this.#held.delete(oldest);
    return held;
  }
}

/** 96 bits tell any number of sessions apart. */
function toKey(id: string): string {
  return createHash("sha256").update(id).digest("base64").slice(0, 16);
}
