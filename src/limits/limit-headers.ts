import type { Allowance } from "./allowance.ts";
import type { MinuteState } from "./minute-limit.ts";

type Headers = Readonly<Record<string, string>>;

/**
 * Returns the headers by which clients of OpenAI's API pace themselves: `x-ratelimit-limit-requests` and the like. There are
 * none for limits that the key does not have, and no value is negative. Those for tokens describe the limit per minute or,
 * without one, the budget with the least left. `allowances` are those of a key and its tenant, of which the one with less left
 * counts. `now` is `Clock.now`.
 */
export function limitHeaders(allowances: readonly Allowance[], now: number): Headers {
  const requests = tightest(allowances.map((each) => each.requestsLeft()));
  const tokens = tightest(allowances.map((each) => each.tokensLeft() ?? budgetLeft(each, now)));
  return { ...headersOf("requests", requests), ...headersOf("tokens", tokens) };
}

function budgetLeft(allowance: Allowance, now: number): MinuteState | undefined {
  const budget = allowance.tightestBudget();
  if (!budget) return undefined;
  const { max, used, window } = budget;
  return { max, left: Math.max(0, max - used), resetMs: window.endsAt - now };
}

function tightest(states: readonly (MinuteState | undefined)[]): MinuteState | undefined {
  let least: MinuteState | undefined;
  for (const state of states) if (state && (!least || state.left < least.left)) least = state;
  return least;
}

function headersOf(what: "requests" | "tokens", state: MinuteState | undefined): Headers {
  if (!state) return {};
  return {
    [`x-ratelimit-limit-${what}`]: String(state.max),
    [`x-ratelimit-remaining-${what}`]: String(Math.floor(state.left)),
    [`x-ratelimit-reset-${what}`]: durationText(state.resetMs),
  };
}

/** Formats a duration as OpenAI's API does: `12ms`, `1s`, `6m0s`, `1h0m0s`. Seconds are rounded up. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.ceil(ms))}ms`;
  const seconds = Math.ceil(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours}h${minutes}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
