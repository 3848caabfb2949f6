import { heldElsewhere, type Others } from "./others.ts";
import { RecentMinute } from "./recent-minute.ts";
import { shareOf } from "./share.ts";

/** What a limit per minute leaves now. */
export interface MinuteState {
  readonly max: number;
  readonly left: number;
  /** Milliseconds until all of it is left again if nothing more is used. */
  readonly resetMs: number;
}

const MINUTE_MS = 60_000;

/**
 * A limit on what is used within any 60 seconds. With other servers, each of them holds at most its share, and all of them
 * together at most the limit, as far as they have told each other.
 */
export class MinuteLimit {
  readonly #recent = new RecentMinute();
  readonly #isWhole: boolean;

  /** Whether it counts what cannot be divided, such as requests. */
  constructor({ isWhole }: { readonly isWhole: boolean }) {
    this.#isWhole = isWhole;
  }

  /** `now` is `Clock.elapsed`. */
  add(amount: number, now: number): void {
    this.#recent.add(amount, now);
  }

  /** Returns what was used here within the last minute. */
  sum(now: number): number {
    return this.#recent.sum(now);
  }

  /**
   * Returns the milliseconds until `amount` fits beside what counts and what is reserved here; 0 if it does now, and undefined if
   * that depends on others. An amount above the whole share fits when nothing counts here.
   */
  msUntil(amount: number, max: number, reserved: number, now: number, others?: Others): number | undefined {
    let room = max - amount;
    if (others) {
      const share = shareOf(max, others.own, others.parts, { isWhole: this.#isWhole });
      const elsewhere = heldElsewhere(others);
      room = Math.min(share, max - elsewhere) - amount;
      // What is larger than the share still gets its turn, once the others hold no more than theirs.
      const isPassable = share > 0 && amount > share && elsewhere <= max - share;
      if (room < 0 && !isPassable) return undefined;
    }
    room = Math.max(0, room);
    if (reserved > room) return undefined;
    return this.#recent.msUntil(room - reserved, now);
  }

  /** Returns the milliseconds until `own` fits after `ahead` was admitted before it. A `max` of 0 is no limit. */
  msBehind(max: number, ahead: number, own: number, now: number, others?: Others): number {
    if (max <= 0) return 0;
    const share = others ? Math.max(1, shareOf(max, others.own, others.parts, { isWhole: this.#isWhole })) : max;
    const minutes = Math.floor(ahead / share);
    return minutes * MINUTE_MS + this.#recent.msUntil(Math.max(0, share - own - (ahead - minutes * share)), now);
  }

  state(max: number, reserved: number, now: number, others?: Others): MinuteState {
    const elsewhere = heldElsewhere(others);
    const left = Math.max(0, max - this.#recent.sum(now) - reserved - elsewhere);
    // What others hold was used at any time within the last minute.
    return { max, left, resetMs: elsewhere > 0 ? MINUTE_MS : this.#recent.msUntil(0, now) };
  }
}
