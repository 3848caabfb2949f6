import type { Calendar, Window } from "./calendar.ts";
import type { OwnSpent, SpentElsewhere } from "./elsewhere.ts";
import type { BudgetKind } from "./limit-names.ts";

export interface BudgetOptions {
  readonly kind: BudgetKind;
  /** The IANA name of the time zone whose midnights begin windows; UTC unless given. */
  readonly zone: string | undefined;
  /** The initial amount. */
  readonly max: number;
  readonly calendar: Calendar;
  /**
   * Returns what was used since a time. Called for a window that began before this budget was created, that is, before the
   * last restart or before the limit was set.
   */
  readonly usedSince: (at: number) => number;
  /** Returns the part of that which was used before the server started. */
  readonly usedBefore?: ((at: number) => number) | undefined;
  /** Returns what other servers know of the window that begins at a time. */
  readonly elsewhere?: ((startsAt: number) => SpentElsewhere) | undefined;
}

/** The state of a budget within its current window. */
export interface BudgetState {
  readonly window: Window;
  readonly used: number;
  readonly max: number;
}

/**
 * An amount for each day, week or month. No timer resets it: what is used counts for the window in which it becomes known, and
 * nothing has been counted yet for a new window.
 */
export class Budget {
  readonly kind: BudgetKind;
  readonly #options: BudgetOptions;
  #window: Window | undefined;
  /** What was used here before the server started, and since. */
  #before = 0;
  #used = 0;
  /** The latest time at which something was counted. */
  #latest = Number.NEGATIVE_INFINITY;
  /** May be raised and lowered at any time. */
  max: number;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.kind = options.kind;
    this.max = options.max;
  }

  /** `now` is `Clock.now`. */
  state(now: number): BudgetState {
    const window = this.#enter(now);
    return { window, used: this.#usedIn(window), max: this.max };
  }

  /** Returns what is left; below 0 if more was used. */
  left(now: number): number {
    return this.max - this.#usedIn(this.#enter(now));
  }

  /** Returns what this server has counted in the window of now. */
  own(now: number): Omit<OwnSpent, "budget"> {
    const { startsAt } = this.#enter(now);
    return { startsAt, before: this.#before, used: this.#used };
  }

  add(amount: number, now: number): void {
    this.#enter(now);
    this.#used += amount;
    this.#latest = Math.max(this.#latest, now);
  }

  #usedIn({ startsAt }: Window): number {
    const elsewhere = this.#options.elsewhere?.(startsAt);
    if (!elsewhere) return this.#before + this.#used;
    // Either may lack something: this server's store what was not written, the others what they were not told.
    return Math.max(this.#before, elsewhere.before) + this.#used + elsewhere.others;
  }

  #enter(now: number): Window {
    const current = this.#window;
    if (current && now >= current.startsAt && now < current.endsAt) return current;
    const { calendar, zone, usedSince, usedBefore } = this.#options;
    const window = calendar.window(now, zone, this.kind.unit);
    // A clock that was set back returns to a window of which this budget may have counted a part only, or has yet to reach once
    // more one in which it has counted already.
    const isNext = current !== undefined && window.startsAt >= current.endsAt && window.startsAt > this.#latest;
    this.#before = isNext ? 0 : (usedBefore?.(window.startsAt) ?? 0);
    this.#used = isNext ? 0 : usedSince(window.startsAt) - this.#before;
    this.#window = window;
    return window;
  }
}
