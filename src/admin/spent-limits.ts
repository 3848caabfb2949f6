import type { KeyEntry } from "../keys/key-entry.ts";
import { Allowance } from "../limits/allowance.ts";
import type { Calendar } from "../limits/calendar.ts";
import type { LimitState } from "../limits/limit-state.ts";
import type { Clock } from "../system/deps.ts";
import type { UsageMeter } from "../usage/usage-meter.ts";

export interface SpentLimitsOptions {
  readonly clock: Pick<Clock, "now" | "elapsed">;
  readonly calendar: Calendar;
  readonly meter: Pick<UsageMeter, "usedSince">;
}

/**
 * Returns the state of the limits of a key without requests in progress: its budgets from past usage, and zeros for limits on
 * what runs.
 */
export function spentLimits({ id, limits }: KeyEntry, options: SpentLimitsOptions): readonly LimitState[] {
  const { clock, calendar, meter } = options;
  const allowance = new Allowance(limits, {
    clock,
    calendar,
    usedSince(resource, at) {
      const { tokens, audioMs } = meter.usedSince(id, at);
      return resource === "tokens" ? tokens : audioMs / 1000;
    },
  });
  return allowance.states();
}
