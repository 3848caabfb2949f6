import type { KeyLimits } from "../keys/key-terms.ts";
import type { Unit } from "./calendar.ts";

/** What a budget counts: tokens of input and output, or seconds of audio. */
export type Resource = "tokens" | "audio_seconds";

/** The name of a limit, as requests to make a key, errors and the dashboard call it. */
export type LimitName =
  | "parallel"
  | "max_waiting"
  | "requests_per_minute"
  | "tokens_per_minute"
  | `${Resource}_per_${Unit}`;

/** A budget that a key may have. */
export interface BudgetKind {
  readonly name: LimitName;
  readonly resource: Resource;
  readonly unit: Unit;
  /** Returns the budget of a key; undefined if it has none. */
  readonly maxIn: (limits: KeyLimits) => number | undefined;
}

/** All kinds of budget, the shortest windows first. */
export const BUDGETS: readonly BudgetKind[] = [
  { name: "tokens_per_day", resource: "tokens", unit: "day", maxIn: (limits) => limits.tokensPerDay },
  { name: "tokens_per_week", resource: "tokens", unit: "week", maxIn: (limits) => limits.tokensPerWeek },
  { name: "tokens_per_month", resource: "tokens", unit: "month", maxIn: (limits) => limits.tokensPerMonth },
  { name: "audio_seconds_per_day", resource: "audio_seconds", unit: "day", maxIn: (l) => l.audioSecondsPerDay },
  { name: "audio_seconds_per_week", resource: "audio_seconds", unit: "week", maxIn: (l) => l.audioSecondsPerWeek },
  { name: "audio_seconds_per_month", resource: "audio_seconds", unit: "month", maxIn: (l) => l.audioSecondsPerMonth },
];
