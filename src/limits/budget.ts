import type { Calendar, Unit, Window } from "./calendar.ts";

export interface BudgetOptions {
  readonly unit: Unit;
  /** The IANA name of the zone whose midnights begin the unit; UTC unless given. */
  readonly zone: string | undefined;
  /** The amount at first. */
  readonly max: number;
  readonly calendar: Calendar;
  /**
   * Returns what was used since a time, for a window that began before this budget was created: before the last restart, or
   * before the limit was set.
   */
  readonly usedSince: (at: number) => number;
}

/** What is left of a budget, and until when it must last. */
export interface BudgetState {
  readonly window: Window;
  readonly used: number;
  readonly max: number;
}

/**
 * An amount for each day, week or month. Nothing resets it: what is used is counted under the window of the time at which
 * it becomes known, and nobody has counted anything under a new window.
 */
export class Budget {
  readonly #options: BudgetOptions;
  #window: Window | undefined;
  #used = 0;
  /** May be raised and lowered at any time. */
  max: number;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.max = options.max;
  }

  /** `now` is `Clock.now`. */
  state(now: number): BudgetState {
    return { window: this.#enter(now), used: this.#used, max: this.max };
  }

  /** Returns what is left; below 0 if more was used. */
  left(now: number): number {
    this.#enter(now);
    return this.max - this.#used;
  }

  add(amount: number, now: number): void {
    this.#enter(now);
    this.#used += amount;
  }

  #enter(now: number): Window {
    const { calendar, zone, unit, usedSince } = this.#options;
    const current = this.#window;
    if (current && now >= current.startsAt && now < current.endsAt) return current;
    const window = calendar.window(now, zone, unit);
    // A clock that was set back returns to a window of which this budget may have counted a part only.
    const isNext = current !== undefined && window.startsAt >= current.endsAt;
    this.#used = isNext ? 0 : usedSince(window.startsAt);
    this.#window = window;
    return window;
  }
}
