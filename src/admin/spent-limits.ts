import type { KeyBook } from "../keys/key-book.ts";
import type { KeyLimits } from "../keys/key-terms.ts";
import { Allowance } from "../limits/allowance.ts";
import type { Calendar } from "../limits/calendar.ts";
import type { KeysElsewhere } from "../limits/elsewhere.ts";
import type { LimitState } from "../limits/limit-state.ts";
import type { Clock } from "../system/deps.ts";
import type { UsageMeter } from "../usage/usage-meter.ts";
import { usedById } from "./used-by-id.ts";

export interface SpentLimitsOptions {
  readonly book: Pick<KeyBook, "list">;
  readonly clock: Pick<Clock, "now" | "elapsed">;
  readonly calendar: Calendar;
  readonly meter: Pick<UsageMeter, "usedSince" | "usedBefore">;
  /** What keys and tenants have used at the other servers of a cluster. */
  readonly elsewhere?: Pick<KeysElsewhere, "serverId" | "spent"> | undefined;
}

/**
 * Returns the state of the limits of a key or a tenant without requests in progress: its budgets from past usage, and zeros for
 * limits on what runs. `id` is that under which the limits are counted.
 */
export function spentLimits(id: string, limits: KeyLimits, options: SpentLimitsOptions): readonly LimitState[] {
  const { book, clock, calendar, meter, elsewhere } = options;
  const used = usedById(book, (keyId, at) => meter.usedSince(keyId, at));
  const before = usedById(book, (keyId, at) => meter.usedBefore(keyId, at));
  const allowance = new Allowance(limits, {
    clock,
    calendar,
    usedSince: (resource, at) => used(id, resource, at),
    usedBefore: (resource, at) => before(id, resource, at),
    elsewhere: elsewhere && {
      serverId: elsewhere.serverId,
      holdings: () => [],
      spent: (budget, startsAt) => elsewhere.spent(id, budget, startsAt),
    },
  });
  return allowance.states();
}
