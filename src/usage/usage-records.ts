import type { UsageAmounts } from "./amounts.ts";

/** The length of the periods that usage is added up over. Days are those of UTC. */
export type Step = "minute" | "hour" | "day";

export const STEP_MS: Readonly<Record<Step, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** How long the sums of each step are kept. */
export const KEPT_MS: Readonly<Record<Step, number>> = {
  minute: 48 * STEP_MS.hour,
  hour: 90 * STEP_MS.day,
  day: Number.POSITIVE_INFINITY,
};

/** Returns the beginning of the period that a time is in. Both are milliseconds since 1970. */
export function periodOf(at: number, step: Step): number {
  return at - (at % STEP_MS[step]);
}

/**
 * Divides the time since `from` into the longest steps that fit: minutes up to the next hour, hours up to the next day, and
 * then days.
 */
export function stepsSince(from: number): { readonly firstHour: number; readonly firstDay: number } {
  const next = (step: Step): number => Math.ceil(from / STEP_MS[step]) * STEP_MS[step];
  return { firstHour: next("hour"), firstDay: next("day") };
}

/** Who used something, and which model. */
export interface UsageOwner {
  /** The id of a made key; for any other caller, its name: `api-key:2`. */
  readonly key: string;
  readonly model: string;
  /** A digest of the person behind the request; empty if the request named none. */
  readonly endUser: string;
}

/** What one owner used within a minute, or within a part of it. */
export interface UsageCell extends UsageOwner, UsageAmounts {
  /** The beginning of the minute, in milliseconds since 1970. */
  readonly at: number;
}

/** What one owner used within a period, which begins at `at`. */
export type UsageRow = UsageCell;

/** Which rows to read: those of one step whose periods begin at `from` or later, and before `to`. */
export interface UsageRange {
  readonly step: Step;
  readonly from: number;
  readonly to: number;
  /** Only the rows of this key; undefined for those of all keys. */
  readonly key?: string | undefined;
}

/** The rows of a range as they were when the view was opened. */
export interface UsageView {
  /** Returns the next rows, at most 1,000, in the order of their periods. Empty at the end. */
  next(): readonly UsageRow[];
  /** MUST be called once. */
  close(): void;
}

/** The tokens and the audio that a key has used. */
export interface KeySpent {
  readonly key: string;
  /** Input and output. */
  readonly tokens: number;
  readonly audioMs: number;
}

/** Keeps usage as sums of minutes, hours and days. */
export interface UsageRecords {
  /**
   * Adds cells to the minute, hour and day of each, either all of them or none. Returns whether it has; the caller tries
   * again otherwise. MUST NOT throw.
   */
  add(cells: readonly UsageCell[]): boolean;
  /** Opens a view, to be read over several turns of the event loop while more is added. */
  view(range: UsageRange): UsageView;
  /** Returns what each key has used since a time, to the minute where minutes are still kept, else to the hour. */
  spentSince(from: number): readonly KeySpent[];
  /** Removes at most `limit` rows of each step that are no longer kept. Returns whether more are left. */
  prune(now: number, limit: number): boolean;
}
