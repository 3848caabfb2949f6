import { type Close, closeRule } from "../wire/closes.ts";

/** How a link ended, as far as it decides when to dial again. A link that never opened or broke has no close frame. */
export interface LinkEnd extends Close {
  /** How long the link was registered; undefined when it never was. */
  readonly registeredMs: number | undefined;
  /** What the operator can do about a connection that was not made; undefined for anything else. */
  readonly hint?: string | undefined;
  /** The pause that a draining server asked for. */
  readonly retryAfterMs: number | undefined;
}

export interface RetryLimits {
  /** The first step of the ordinary backoff, which doubles up to `capMs`. */
  readonly baseMs: number;
  readonly capMs: number;
  /** The same after a refusal, where somebody has to change something first. */
  readonly refusedBaseMs: number;
  readonly refusedCapMs: number;
  /**
   * The shortest wait after another worker took over the id: two that share one must not replace each other all the time.
   */
  readonly replacedMs: number;
  /** How long a registration must last to count as a success, after which the backoff starts over. */
  readonly lastedMs: number;
}

export const RETRY_LIMITS: RetryLimits = {
  baseMs: 500,
  capMs: 30_000,
  refusedBaseMs: 5000,
  refusedCapMs: 60_000,
  replacedMs: 30_000,
  lastedMs: 10_000,
};

export interface RetryPlan {
  readonly delayMs: number;
  /** Failures in a row, to be passed in next time. */
  readonly failures: number;
}

/**
 * Decides when to dial again: exponential backoff with full jitter, so that workers that lost the same server at the same
 * moment come back spread out. `random` returns a number in [0, 1).
 */
export function planRetry(
  end: LinkEnd,
  failures: number,
  random: () => number,
  limits: RetryLimits = RETRY_LIMITS,
): RetryPlan {
  if (end.retryAfterMs !== undefined) {
    return {
      delayMs: Math.round(end.retryAfterMs + random() * Math.max(end.retryAfterMs, limits.baseMs)),
      failures: 0,
    };
  }
  const before = (end.registeredMs ?? 0) >= limits.lastedMs ? 0 : failures;
  return { delayMs: Math.round(delayAfter(end, before, random, limits)), failures: before + 1 };
}

function delayAfter(end: LinkEnd, failures: number, random: () => number, limits: RetryLimits): number {
  const redial = closeRule(end)?.redial ?? "soon";
  if (redial === "much_later") return limits.replacedMs * (1 + random());
  if (redial === "soon") return random() * doubled(limits.baseMs, failures, limits.capMs);
  // Half of the wait is fixed, so that a refused worker never dials again at once.
  return (0.5 + random() / 2) * doubled(limits.refusedBaseMs, failures, limits.refusedCapMs);
}

function doubled(base: number, times: number, cap: number): number {
  return Math.min(cap, base * 2 ** Math.min(times, 30));
}

/** Returns what the operator can do about the end of a link; undefined where the link simply broke. */
export function closeHint(end: Close & Pick<LinkEnd, "hint">): string | undefined {
  return closeRule(end)?.hint ?? end.hint;
}
