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
}
