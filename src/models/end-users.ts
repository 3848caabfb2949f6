import type { Caller } from "../auth/caller.ts";
import type { Clock } from "../system/deps.ts";

/** Stands for all end users of a caller beyond the first thousand. No digest has brackets. */
export const OTHER_END_USERS = "(other)";

/** The most end users of one caller that are told apart. */
const MAX_PER_CALLER = 1000;
/** The most end users of all callers together. Beyond that, callers are forgotten, the one without a new end user for longest first. */
const MAX_TOTAL = 100_000;
/** Time after its last request after which an end user no longer counts towards these limits. */
const REMEMBERED_MS = 600_000;

/** The characters of a name that count. */
const MAX_NAME_CHARS = 256;
/** 72 bits: among the end users of one caller, no two are ever confused. */
const DIGEST_CHARS = 12;

/**
 * The end users of callers, each known by a digest alone. It is keyed by a secret and by the caller, so that nobody can tell
 * from it who the person is, or find the same person under two callers.
 */
export class EndUsers {
  readonly #secret: () => string;
  readonly #clock: Pick<Clock, "elapsed">;
  /** When each end user was last seen, the least recent first. The callers are in the order of their last new end user. */
  readonly #seen = new Map<string, Map<string, number>>();
  #total = 0;

  constructor(secret: () => string, clock: Pick<Clock, "elapsed">) {
    this.#secret = secret;
    this.#clock = clock;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#total;
  }

  /** Returns the digest of an end user; `OTHER_END_USERS` if the caller has too many of them. */
  digestOf(caller: Pick<Caller, "name">, name: string): string {
    const hmac = new Bun.CryptoHasher("sha256", this.#secret());
    hmac.update(caller.name).update("\0").update(name.slice(0, MAX_NAME_CHARS));
    const digest = hmac.digest("base64url").slice(0, DIGEST_CHARS);
    return this.#mayCount(caller.name, digest) ? digest : OTHER_END_USERS;
  }

  #mayCount(caller: string, digest: string): boolean {
    const now = this.#clock.elapsed();
    const known = this.#seen.get(caller) ?? new Map<string, number>();
    const isKnown = known.delete(digest);
    if (!isKnown) {
      for (const [oldest, seenAt] of known) {
        if (now - seenAt < REMEMBERED_MS) break;
        known.delete(oldest);
        this.#total -= 1;
      }
      if (known.size >= MAX_PER_CALLER) return false;
      this.#total += 1;
      this.#seen.delete(caller);
      this.#seen.set(caller, known);
    }
    known.set(digest, now);
    this.#shrink();
    return true;
  }

  #shrink(): void {
    for (const [caller, known] of this.#seen) {
      if (this.#total <= MAX_TOTAL) return;
      this.#seen.delete(caller);
      this.#total -= known.size;
    }
  }
}
