import type { Step } from "./usage-records.ts";

/** What usage can be grouped by. */
export const DIMENSIONS = ["key", "model", "end_user"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** A question about usage. */
export interface UsageQuery {
  /** Milliseconds since 1970, the beginning of a period of `step`. */
  readonly from: number;
  /** Milliseconds since 1970. Periods that begin before it are included. */
  readonly to: number;
  readonly step: Step;
  readonly by: readonly Dimension[];
  /** Only the usage of this key, model or end user. */
  readonly key?: string | undefined;
  readonly model?: string | undefined;
  readonly endUser?: string | undefined;
  /** The length of the periods, a multiple of the step's, which begin at its multiples since 1970. Absent: that of the step. */
  readonly periodMs?: number | undefined;
  /**
   * Labels that replace the keys of the answer, or its models if those come first in `by`, each with the values that it stands
   * for. What is not listed is added up as `OTHERS`. Absent: all have groups of their own.
   */
  readonly labels?: readonly (readonly [label: string, values: readonly string[]])[] | undefined;
}

/** The label of what has none of its own. */
export const OTHERS = "(other)";
