import type { KeySpent, UsageCell } from "./usage-records.ts";

/** What a key has used. */
export interface Spent {
  /** Input and output. */
  readonly tokens: number;
  readonly audioMs: number;
}

interface Total {
  tokens: number;
  audioMs: number;
}

const NOTHING: Spent = { tokens: 0, audioMs: 0 };

/** The most times whose sums are remembered. The budgets of one time zone need three: the day, the week and the month. */
const MAX_TIMES = 32;

/**
 * Tells what each key has used since a time. The first question about a time reads the sums of all keys, which takes 20 ms
 * for a month of 250 busy pairs of key and model; later questions about it are answered from memory. Budgets ask about the
 * beginning of their window after a start of the server, and when a limit is set.
 */
export class SpentSince {
  readonly #read: (from: number) => ReadonlyMap<string, Spent>;
  readonly #startedAt: number;
  /** What each key has used since this object was created. */
  readonly #totals = new Map<string, Total>();
  /** By time, oldest question first: what each key had used since that time when it was read, minus its total then. */
  readonly #bases = new Map<number, ReadonlyMap<string, Spent>>();

  /** `read` returns what each key has used since a time, up to now. `startedAt` is the time of now. */
  constructor(startedAt: number, read: (from: number) => ReadonlyMap<string, Spent>) {
    this.#startedAt = startedAt;
    this.#read = read;
  }

  add(key: string, tokens: number, audioMs: number): void {
    const total = this.#totals.get(key);
    if (!total) {
      this.#totals.set(key, { tokens, audioMs });
      return;
    }
    total.tokens += tokens;
    total.audioMs += audioMs;
  }

  /** Returns what a key has used since a time, to the minute within the last 48 hours, and before that to the next hour. */
  of(key: string, from: number): Spent {
    const base = this.#baseOf(from).get(key);
    const total = this.#totals.get(key);
    return {
      tokens: (base?.tokens ?? 0) + (total?.tokens ?? 0),
      audioMs: (base?.audioMs ?? 0) + (total?.audioMs ?? 0),
    };
  }

  /** Returns the part of that which the key had used before this object existed. */
  before(key: string, from: number): Spent {
    return (from < this.#startedAt ? this.#baseOf(from).get(key) : undefined) ?? NOTHING;
  }

  #baseOf(from: number): ReadonlyMap<string, Spent> {
    const known = this.#bases.get(from);
    if (known) return known;
    const base = new Map(this.#read(from));
    for (const [key, total] of this.#totals) {
      const { tokens = 0, audioMs = 0 } = base.get(key) ?? {};
      base.set(key, { tokens: tokens - total.tokens, audioMs: audioMs - total.audioMs });
    }
    this.#bases.set(from, base);
    for (const [oldest] of this.#bases) {
      if (this.#bases.size <= MAX_TIMES) break;
      this.#bases.delete(oldest);
    }
    return base;
  }
}

/** Adds what is not written yet to what is, by key. */
export function spentIn(
  written: readonly KeySpent[],
  unwritten: readonly UsageCell[],
  from: number,
): ReadonlyMap<string, Spent> {
  const spent = new Map<string, Total>(written.map(({ key, tokens, audioMs }) => [key, { tokens, audioMs }]));
  for (const { at, key, input, output, audioMs } of unwritten) {
    if (at < from) continue;
    const sum = spent.get(key) ?? { tokens: 0, audioMs: 0 };
    sum.tokens += input + output;
    sum.audioMs += audioMs;
    spent.set(key, sum);
  }
  return spent;
}
