import type { Clock, Ids } from "../system/deps.ts";
import { sha256 } from "./keys.ts";

/** The beginning of every token, which distinguishes it from a key. */
const PREFIX = "try-";

/** The life of a token. The page requests the next one by itself. */
const LIFE_MS = 5 * 60_000;

/** Limits per holder and in total. Past them the oldest token ends. */
const MAX_PER_HOLDER = 10;
const MAX_TOKENS = 1000;

/** The operator who was given a token. The token ends when the holder is no longer current. */
export interface Holder {
  readonly id: string;
  isCurrent(): boolean;
}

interface Issued {
  readonly holder: Holder;
  /** `Clock.elapsed` at the end of its life. */
  readonly endsAt: number;
}

/**
 * Short-lived substitutes for an API key, for the dashboard's own requests to the public API. A stolen token is worth
 * little. Only hashes of tokens are kept.
 */
export class TryTokens {
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** The tokens by their hashes, oldest first. */
  readonly #issued = new Map<string, Issued>();

  constructor(clock: Clock, ids: Ids) {
    this.#clock = clock;
    this.#ids = ids;
  }

  /** Issues a token. Ends the oldest one if the holder, or the server, has too many. */
  issue(holder: Holder): { readonly token: string; readonly expiresInS: number } {
    const own = [...this.#issued].filter(([, issued]) => issued.holder.id === holder.id).map(([hash]) => hash);
    const tooMany = own.length >= MAX_PER_HOLDER ? own[0] : undefined;
    const oldest = this.#issued.size >= MAX_TOKENS ? this.#issued.keys().next().value : undefined;
    for (const hash of [tooMany, oldest]) if (hash !== undefined) this.#issued.delete(hash);
    const token = `${PREFIX}${this.#ids.secret()}`;
    this.#issued.set(hashOf(token), { holder, endsAt: this.#clock.elapsed() + LIFE_MS });
    return { token, expiresInS: LIFE_MS / 1000 };
  }

  /** Returns whether a token is valid now. */
  isCurrent(token: string): boolean {
    if (!token.startsWith(PREFIX)) return false;
    const hash = hashOf(token);
    const issued = this.#issued.get(hash);
    if (!issued) return false;
    if (this.#clock.elapsed() < issued.endsAt && issued.holder.isCurrent()) return true;
    this.#issued.delete(hash);
    return false;
  }
}

function hashOf(token: string): string {
  return sha256(token);
}
