import type { KeyBook } from "../keys/key-book.ts";
import type { KeyLimits } from "../keys/key-terms.ts";
import { Allowance } from "../limits/allowance.ts";
import type { Calendar } from "../limits/calendar.ts";
import type { LimitState } from "../limits/limit-state.ts";
import type { Clock } from "../system/deps.ts";
import type { UsageMeter } from "../usage/usage-meter.ts";
import { usedById } from "./used-by-id.ts";

export interface SpentLimitsOptions {
  readonly book: Pick<KeyBook, "list">;
  readonly clock: Pick<Clock, "now" | "elapsed">;
  readonly calendar: Calendar;
  readonly meter: Pick<UsageMeter, "usedSince">;
}

/**
 * Returns the state of the limits of a key or a tenant without requests in progress: its budgets from past usage, and zeros for
 * limits on what runs. `id` is that under which the limits are counted.
 */
export function spentLimits(id: string, limits: KeyLimits, options: SpentLimitsOptions): readonly LimitState[] {
  const { book, clock, calendar, meter } = options;
  const used = usedById(book, (keyId, at) => meter.usedSince(keyId, at));
  const allowance = new Allowance(limits, {
    clock,
    calendar,
    usedSince: (resource, at) => used(id, resource, at),
  });
  return allowance.states();
}
