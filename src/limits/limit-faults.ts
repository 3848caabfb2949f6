import { Fault } from "../errors.ts";
import type { Held } from "./allowance.ts";
import type { Calendar, Unit } from "./calendar.ts";
import type { LimitName } from "./limit-names.ts";

/** Both official SDKs obey a `Retry-After` from 1 to 60 seconds. */
const MAX_RETRY_S = 60;
/** For a limit that passes when another job of the key ends, which may be at any time. */
const RETRY_SOON_S = 2;

/**
 * Returns the error for a job that a limit holds and that does not wait. A limit that passes by itself gives
 * `rate_limit_exceeded`, which the SDKs retry after `Retry-After`. A budget that is spent gives `insufficient_quota`, which they
 * do not retry. `headers` are those of `limitHeaders`.
 */
export function limitFault(held: Held, calendar: Calendar, headers: Readonly<Record<string, string>> = {}): Fault {
  if (held.kind === "spent") {
    const { state, zone, limit } = held;
    const [what, unit] = partsOf(limit);
    const next = calendar.format(state.window.endsAt, zone);
    const message = `This key has used up its ${inWords(state.max)} ${what} for this ${unit}. The next ${unit} begins at ${next}.`;
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
      return `This key may run ${requests} at a time, and as many are running. Try again when one has ended.`;
    case "max_waiting":
      return `This key may let ${requests} wait at a time, and as many are waiting. Try again when one has begun.`;
    case "requests_per_minute":
      return `This key may send ${requests} per minute, and has sent as many within the last one.`;
    case "tokens_per_minute":
      return `This key may use ${many} tokens per minute. This request does not fit beside those of the last minute.`;
    default: {
      const [what, unit] = partsOf(limit);
      return `The requests of this key that are running may use up its ${many} ${what} for this ${unit}. Try again when one has ended.`;
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
