import { Fault } from "../errors.ts";
import type { Calendar, Unit } from "./calendar.ts";
import type { LimitName } from "./limit-names.ts";
import type { Held } from "./limit-state.ts";

/** The longest `Retry-After`. Both official SDKs obey values from 1 to 60 seconds. */
const MAX_RETRY_S = 60;
/** For a limit that has room again when another job of the key ends, which may be at any time. */
const RETRY_SOON_S = 2;

/**
 * Returns the error for a job that a limit holds back and that does not wait. A budget that is used up gives
 * `insufficient_quota`, which the SDKs do not retry; any other limit gives `rate_limit_exceeded`, which they retry after
 * `Retry-After`. `headers` are those of `limitHeaders`.
 */
export function limitFault(held: Held, calendar: Calendar, headers: Readonly<Record<string, string>> = {}): Fault {
  if (held.kind === "spent") {
    const { state, zone, limit } = held;
    const [what, unit] = partsOf(limit);
    const resetsAt = calendar.format(state.window.endsAt, zone);
    const message = `This key has used up its budget of ${inWords(state.max)} ${what} for this ${unit}. It resets at ${resetsAt}; the operator of this server can raise it.`;
    return new Fault("insufficient_quota", { message, limit, headers });
  }
  const { limit, max, waitMs } = held;
  const retryAfterS =
    waitMs === undefined ? RETRY_SOON_S : Math.min(MAX_RETRY_S, Math.max(1, Math.ceil(waitMs / 1000)));
  return new Fault("rate_limit_exceeded", { message: textOf(limit, max), retryAfterS, limit, headers });
}

function textOf(limit: LimitName, max: number): string {
  const many = inWords(max);
  const requests = max === 1 ? "1 request" : `${many} requests`;
  switch (limit) {
    case "parallel":
      return `This key may run ${requests} at a time, and that many are running. Try again when one of them has ended.`;
    case "max_waiting":
      return `This key may have ${requests} waiting at a time, and that many are waiting. Try again when one of them has begun.`;
    case "requests_per_minute":
      return `This key may send ${requests} per minute, and that many were sent in the last 60 seconds. Try again after the time in Retry-After.`;
    case "tokens_per_minute":
      return `This key may use ${many} tokens per minute, and too few of them are left for this request. Try again after the time in Retry-After.`;
    default: {
      const [what, unit] = partsOf(limit);
      return `The running requests of this key are expected to use up its budget of ${many} ${what} for this ${unit}. Try again when one of them has ended.`;
    }
  }
}

/** Returns what a budget counts, in words, and its unit. */
function partsOf(limit: LimitName): readonly [what: string, unit: Unit] {
  const unit = (["day", "week", "month"] as const).find((each) => limit.endsWith(each)) ?? "day";
  return [limit.startsWith("tokens") ? "tokens" : "seconds of audio", unit];
}

function inWords(amount: number): string {
  return amount.toLocaleString("en-US");
}
