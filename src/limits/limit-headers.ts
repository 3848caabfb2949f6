import type { Clock } from "../system/deps.ts";
import type { Allowance } from "./allowance.ts";
import type { MinuteState } from "./minute-limit.ts";

/** The headers of an answer. */
export interface AnswerHeaders {
  set(name: string, value: string): void;
}

/**
 * Sets the headers by which clients of OpenAI's API pace themselves: `x-ratelimit-limit-requests` and the like. There are
 * none for limits that the key does not have, and no value is negative. Those for tokens describe the limit per minute or,
 * without one, the budget with the least left. Of a key and its tenant, the one with less left counts.
 */
export function setLimitHeaders(
  headers: AnswerHeaders,
  own: Allowance | undefined,
  shared: Allowance | undefined,
  clock: Pick<Clock, "now" | "elapsed">,
): void {
  const elapsed = clock.elapsed();
  const requests = tighter(own?.requestsLeft(elapsed), shared?.requestsLeft(elapsed));
  const tokens = tighter(own && tokensLeft(own, elapsed, clock), shared && tokensLeft(shared, elapsed, clock));
  if (requests) {
    headers.set("x-ratelimit-limit-requests", String(requests.max));
    headers.set("x-ratelimit-remaining-requests", String(Math.floor(requests.left)));
    headers.set("x-ratelimit-reset-requests", durationText(requests.resetMs));
  }
  if (tokens) {
    headers.set("x-ratelimit-limit-tokens", String(tokens.max));
    headers.set("x-ratelimit-remaining-tokens", String(Math.floor(tokens.left)));
    headers.set("x-ratelimit-reset-tokens", durationText(tokens.resetMs));
  }
}

function tokensLeft(allowance: Allowance, elapsed: number, clock: Pick<Clock, "now">): MinuteState | undefined {
  const perMinute = allowance.tokensLeft(elapsed);
  const budget = perMinute ? undefined : allowance.tightestBudget();
  if (!budget) return perMinute;
  const { max, used, window } = budget;
  return { max, left: Math.max(0, max - used), resetMs: window.endsAt - clock.now() };
}

function tighter(a: MinuteState | undefined, b: MinuteState | undefined): MinuteState | undefined {
  return a && (!b || a.left <= b.left) ? a : b;
}

/** Formats a duration as OpenAI's API does: `12ms`, `1s`, `6m0s`, `1h0m0s`. Seconds are rounded up. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.ceil(ms))}ms`;
  const seconds = Math.ceil(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours}h${minutes}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
