import type { Clock, Ids } from "../system/deps.ts";
import { sha256 } from "./keys.ts";

/** What every token begins with, by which it is told from a key. */
const PREFIX = "try-";

/** Long enough for a try; the page asks for the next one by itself. */
const LIFE_MS = 5 * 60_000;

/** Of one holder, and in all; beyond it the oldest end. */
const MAX_PER_HOLDER = 10;
const MAX_TOKENS = 1000;

/** Whom a token was given to: it ends with that. */
export interface Holder {
  readonly id: string;
  isCurrent(): boolean;
}

interface Issued {
  readonly holder: Holder;
  /** `Clock.elapsed`. */
  readonly endsAt: number;
}

/**
 * Short-lived stand-ins for an API key, for the dashboard's own requests to the public API: a page that holds one holds
 * nothing that is worth much. Only their hashes are kept.
 */
export class TryTokens {
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** By hash, in order of issue. */
  readonly #issued = new Map<string, Issued>();

  constructor(clock: Clock, ids: Ids) {
    this.#clock = clock;
    this.#ids = ids;
  }

  issue(holder: Holder): { readonly token: string; readonly expiresInS: number } {
    const own = [...this.#issued].filter(([, issued]) => issued.holder.id === holder.id).map(([hash]) => hash);
    const tooMany = own.length >= MAX_PER_HOLDER ? own[0] : undefined;
    const oldest = this.#issued.size >= MAX_TOKENS ? this.#issued.keys().next().value : undefined;
    for (const hash of [tooMany, oldest]) if (hash !== undefined) this.#issued.delete(hash);
    const token = `${PREFIX}${this.#ids.secret()}`;
    this.#issued.set(hashOf(token), { holder, endsAt: this.#clock.elapsed() + LIFE_MS });
    return { token, expiresInS: LIFE_MS / 1000 };
  }

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
