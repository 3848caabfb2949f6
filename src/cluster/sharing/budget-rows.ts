import type { LimitName } from "../../limits/limit-names.ts";

/**
 * What one server has counted towards a budget, as far as it is known. Each number only grows, and is never more than the
 * truth, so rows may be lost, repeated and merged in any order.
 */
export interface Counted {
  /** The run of the server that `used` belongs to. Later runs have greater ones. */
  readonly epoch: string;
  /** What all earlier runs have counted. */
  readonly before: number;
  readonly used: number;
}

/** A budget of a key within one window. */
export interface BudgetWindow {
  readonly budget: LimitName;
  /** The beginning of the window, in milliseconds since 1970. */
  readonly startsAt: number;
}

/**
 * Combines what is known of one server. An earlier run is counted as a part of what was before the later one. `present` is the
 * run that goes on now, if it is known: after a clock was set back, it is not the one with the greatest epoch.
 */
export function merged(a: Counted | undefined, b: Counted, present?: string): Counted {
  if (!a) return b;
  if (a.epoch === b.epoch)
    return { epoch: a.epoch, before: Math.max(a.before, b.before), used: Math.max(a.used, b.used) };
  const isInOrder = a.epoch === present || b.epoch === present ? b.epoch === present : a.epoch < b.epoch;
  const [earlier, later] = isInOrder ? [a, b] : [b, a];
  return { ...later, before: Math.max(later.before, totalOf(earlier)) };
}

export function totalOf({ before, used }: Counted): number {
  return before + used;
}

const HOUR_MS = 3_600_000;
/** No window of the unit is longer, those with a change of the clocks included. */
const LONGEST_MS = { day: 26 * HOUR_MS, week: (7 * 24 + 2) * HOUR_MS, month: (31 * 24 + 2) * HOUR_MS } as const;
/** Clocks of servers may differ by so much that a window has begun at one of them alone. */
const AHEAD_MS = 26 * HOUR_MS;

/** Whether the window may still be going on, or be about to begin. */
export function isCurrent({ budget, startsAt }: BudgetWindow, now: number): boolean {
  const unit = budget.endsWith("day") ? "day" : budget.endsWith("week") ? "week" : "month";
  return startsAt > now - LONGEST_MS[unit] && startsAt < now + AHEAD_MS;
}

interface Row extends BudgetWindow {
  readonly byServer: Map<string, Counted>;
}

/**
 * The most counts that are kept, each of one server towards one budget. Three of one budget take about 500 bytes. Servers that
 * get another id with each start leave theirs behind until the window ends.
 */
const MAX_COUNTS = 180_000;

/** What all servers have counted towards the budgets of keys, by key, budget and window. */
export class BudgetRows {
  readonly #byKey = new Map<string, Map<string, Row>>();
  #size = 0;

  /** The number of counts. */
  get size(): number {
    return this.#size;
  }

  ids(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** Returns what servers have counted towards a budget, by server. */
  of(keyId: string, { budget, startsAt }: BudgetWindow): ReadonlyMap<string, Counted> {
    return this.#byKey.get(keyId)?.get(labelOf(budget, startsAt))?.byServer ?? NOBODY;
  }

  /** Returns all rows of a key. */
  all(keyId: string): Iterable<BudgetWindow & { readonly byServer: ReadonlyMap<string, Counted> }> {
    return this.#byKey.get(keyId)?.values() ?? [];
  }

  /**
   * Takes in what a server has counted. Returns whether that is more than was known. `present` is the run of that server that
   * goes on now, if it is known.
   */
  merge(keyId: string, window: BudgetWindow, server: string, counted: Counted, present?: string): boolean {
    const { budget, startsAt } = window;
    const rows = this.#byKey.get(keyId) ?? new Map<string, Row>();
    const label = labelOf(budget, startsAt);
    const row = rows.get(label) ?? { budget, startsAt, byServer: new Map() };
    const known = row.byServer.get(server);
    if (!known) {
      if (this.#size >= MAX_COUNTS) return false;
      this.#byKey.set(keyId, rows.set(label, row));
      this.#size += 1;
    }
    const next = merged(known, counted, present);
    row.byServer.set(server, next);
    return !known || totalOf(next) > totalOf(known);
  }

  /** Forgets the windows that have ended. */
  prune(now: number): void {
    for (const [keyId, rows] of this.#byKey) {
      for (const [label, row] of rows) {
        if (isCurrent(row, now)) continue;
        rows.delete(label);
        this.#size -= row.byServer.size;
      }
      if (rows.size === 0) this.#byKey.delete(keyId);
    }
  }
}

const NOBODY: ReadonlyMap<string, Counted> = new Map();

function labelOf(budget: LimitName, startsAt: number): string {
  return `${budget} ${startsAt}`;
}
