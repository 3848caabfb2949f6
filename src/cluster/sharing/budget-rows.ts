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

/** Combines what is known of one server. An earlier run is counted as a part of what was before the later one. */
export function merged(a: Counted | undefined, b: Counted): Counted {
  if (!a) return b;
  if (a.epoch === b.epoch)
    return { epoch: a.epoch, before: Math.max(a.before, b.before), used: Math.max(a.used, b.used) };
  const [earlier, later] = a.epoch < b.epoch ? [a, b] : [b, a];
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

/** The most budgets and windows of keys that are kept. A row of three servers takes about 500 bytes. */
const MAX_ROWS = 60_000;

/** What all servers have counted towards the budgets of keys, by key, budget and window. */
export class BudgetRows {
  readonly #byKey = new Map<string, Map<string, Row>>();
  #size = 0;

  /** The number of rows. */
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

  /** Takes in what a server has counted. Returns whether that is more than was known. */
  merge(keyId: string, { budget, startsAt }: BudgetWindow, server: string, counted: Counted): boolean {
    const rows = this.#byKey.get(keyId) ?? new Map<string, Row>();
    const label = labelOf(budget, startsAt);
    const row = rows.get(label) ?? { budget, startsAt, byServer: new Map() };
    if (!rows.has(label)) {
      if (this.#size >= MAX_ROWS) return false;
      this.#byKey.set(keyId, rows.set(label, row));
      this.#size += 1;
    }
    const known = row.byServer.get(server);
    const next = merged(known, counted);
    row.byServer.set(server, next);
    return !known || totalOf(next) > totalOf(known);
  }

  /** Forgets the windows that have ended. */
  prune(now: number): void {
    for (const [keyId, rows] of this.#byKey) {
      for (const [label, row] of rows) {
        if (isCurrent(row, now)) continue;
        rows.delete(label);
        this.#size -= 1;
      }
      if (rows.size === 0) this.#byKey.delete(keyId);
    }
  }
}

const NOBODY: ReadonlyMap<string, Counted> = new Map();

function labelOf(budget: LimitName, startsAt: number): string {
  return `${budget} ${startsAt}`;
}
