import * as v from "valibot";
import type { KeyLimits } from "./key-terms.ts";
import { amountField, removable, zoneField } from "./spec-fields.ts";

const MAX_JOBS = 100_000;
export const MAX_RATE = 1_000_000;
/** More than all keys of a server use in a year. */
const MAX_TOKENS = 1e15;
const MAX_SECONDS = 1e10;

const tokens = removable(amountField(1, MAX_TOKENS));
const seconds = removable(amountField(1, MAX_SECONDS));

/** The fields of a request that set limits. */
export const limitFields = {
  parallel: removable(amountField(1, MAX_JOBS)),
  max_waiting: removable(amountField(0, MAX_JOBS)),
  requests_per_minute: removable(amountField(1, MAX_RATE)),
  tokens_per_minute: tokens,
  tokens_per_day: tokens,
  tokens_per_week: tokens,
  tokens_per_month: tokens,
  audio_seconds_per_day: seconds,
  audio_seconds_per_week: seconds,
  audio_seconds_per_month: seconds,
  timezone: removable(zoneField),
  on_limit: removable(v.picklist(["wait", "refuse"], "wait or refuse")),
};

export const limitsSchema = v.strictObject(limitFields, "a mapping of limits");

export type GivenLimits = v.InferOutput<typeof limitsSchema>;

/** Removes each limit. */
export const NO_LIMITS: GivenLimits = {
  parallel: null,
  max_waiting: null,
  requests_per_minute: null,
  tokens_per_minute: null,
  tokens_per_day: null,
  tokens_per_week: null,
  tokens_per_month: null,
  audio_seconds_per_day: null,
  audio_seconds_per_week: null,
  audio_seconds_per_month: null,
  timezone: null,
  on_limit: null,
};

/** Returns what a request changes of limits: a member that is undefined is removed, and one that is absent stays. */
export function toLimits(given: GivenLimits): Partial<KeyLimits> {
  return changes({
    parallel: given.parallel,
    maxWaiting: given.max_waiting,
    requestsPerMinute: given.requests_per_minute,
    tokensPerMinute: given.tokens_per_minute,
    tokensPerDay: given.tokens_per_day,
    tokensPerWeek: given.tokens_per_week,
    tokensPerMonth: given.tokens_per_month,
    audioSecondsPerDay: given.audio_seconds_per_day,
    audioSecondsPerWeek: given.audio_seconds_per_week,
    audioSecondsPerMonth: given.audio_seconds_per_month,
    timezone: given.timezone,
    onLimit: given.on_limit,
  });
}

type Change<T> = { readonly [K in keyof T]?: Exclude<T[K], null> };

/** Leaves out what was not given, and turns null into undefined. */
export function changes<T extends object>(given: T): Change<T> {
  const kept = Object.entries(given).flatMap(([key, value]) => {
    return value === undefined ? [] : [[key, value ?? undefined] as const];
  });
  return Object.fromEntries(kept) as Change<T>; // the same keys, without null
}
