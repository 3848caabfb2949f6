import { createHash } from "node:crypto";
import type { Clock } from "../../system/deps.ts";
import { setNewest } from "../../system/newest.ts";

/** A session without a request for this long was most likely left without being ended. */
const FORGET_AFTER_MS = 30 * 60_000;
/** Sessions counted for one relay. The one that is unused for longest is forgotten first. */
const MAX_SESSIONS = 10_000;

/** One request of a session, from its first byte to the end of its answer. */
export interface SessionUse {
  /** To be called when the answer begins. `minted` is the session id that it assigns, if any. */
  answered(status: number, minted: string | undefined): void;
  /** To be called when the answer has ended. */
  ended(): void;
}

interface Held {
  /** `Clock.elapsed` of the last use. */
  usedAt: number;
  /** The number of running requests of the session. A stream may listen for hours. */
  open: number;
}

/**
 * Counts the sessions that clients hold with one MCP server, as far as their requests and answers show. The sessions
 * themselves belong to the MCP server. Their ids are secrets, so only digests are kept.
 */
export class HeldSessions {
  readonly #clock: Clock;
  /** In the order of their last use. */
  readonly #held = new Map<string, Held>();
  /** Session ids that answers have assigned so far. */
  opened = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns how many sessions are held now. */
  count(): number {
    const now = this.#clock.elapsed();
    for (const [key, held] of this.#held) {
      if (now - held.usedAt <= FORGET_AFTER_MS) break;
      this.#held.delete(key);
      // A session in use moves to the end, where the loop stops.
      if (held.open > 0) this.#held.set(key, Object.assign(held, { usedAt: now }));
    }
    return this.#held.size;
  }

  /** To be called when a request begins. `id` is the session that it names. */
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
    setNewest(this.#held, key, held, MAX_SESSIONS);
    return held;
  }
}

/** Returns a digest of 96 bits, which distinguishes any number of sessions. */
function toKey(id: string): string {
  return createHash("sha256").update(id).digest("base64").slice(0, 16);
}
