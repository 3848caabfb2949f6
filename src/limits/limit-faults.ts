import { Fault } from "../errors.ts";
import type { Calendar, Unit } from "./calendar.ts";
import { A_KEY, type Holder } from "./holder.ts";
import type { LimitName } from "./limit-names.ts";
import type { Held } from "./limit-state.ts";

/** The longest `Retry-After`. Both official SDKs obey values from 1 to 60 seconds. */
const MAX_RETRY_S = 60;
/** For a limit that has room again when another job of the key ends, which may be at any time. */
const RETRY_SOON_S = 2;

/**
 * Returns the error for a job that a limit holds back and that does not wait. A budget that is used up gives
 * `insufficient_quota`, which the SDKs do not retry; any other limit gives `rate_limit_exceeded`, which they retry after
 * `Retry-After`. The message says whose limit it is.
 */
export function limitFault(held: Held, calendar: Calendar, holder: Holder = A_KEY): Fault {
  if (held.kind === "spent") {
    const { state, zone, limit } = held;
    const [what, unit] = partsOf(limit);
    const resetsAt = calendar.format(state.window.endsAt, zone);
    const message = `${subjectOf(holder)} has used up its budget of ${inWords(state.max)} ${what} for this ${unit}. It resets at ${resetsAt}; the operator of this server can raise it.`;
    return new Fault("insufficient_quota", { message, limit: labelOf(limit, holder) });
  }
  const { limit, waitMs } = held;
  const retryAfterS =
    waitMs === undefined ? RETRY_SOON_S : Math.min(MAX_RETRY_S, Math.max(1, Math.ceil(waitMs / 1000)));
  return new Fault("rate_limit_exceeded", {
    message: textOf(held, holder),
    retryAfterS,
    limit: labelOf(limit, holder),
  });
}

/** Returns the name of a limit as logs and clients get it: `parallel`, or `tenant.parallel` for that of a tenant. */
export function labelOf(limit: LimitName, holder: Holder): string {
  return holder.kind === "tenant" ? `tenant.${limit}` : limit;
}

function subjectOf(holder: Holder): string {
  return holder.kind === "tenant" ? `The tenant '${holder.name}'` : "This key";
}

function textOf({ limit, max }: Extract<Held, { readonly kind: "busy" }>, holder: Holder): string {
  const who = subjectOf(holder);
  const many = inWords(max);
  const requests = max === 1 ? "1 request" : `${many} requests`;
  switch (limit) {
    case "parallel":
      return `${who} may run ${requests} at a time, and that many are running. Try again when one of them has ended.`;
    case "max_waiting":
      return `${who} may have ${requests} waiting at a time, and that many are waiting. Try again when one of them has begun.`;
    case "requests_per_minute":
      return `${who} may send ${requests} per minute, and that many were sent in the last 60 seconds. Try again after the time in Retry-After.`;
    case "tokens_per_minute":
      return `${who} may use ${many} tokens per minute, and too few of them are left for this request. Try again after the time in Retry-After.`;
    default: {
      const [what, unit] = partsOf(limit);
      return `The running requests of ${who.replace("T", "t")} are expected to use up its budget of ${many} ${what} for this ${unit}. Try again when one of them has ended.`;
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
