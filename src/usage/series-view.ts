// What the dashboard draws of usage: the answer of GET /api/usage/series.

/** The time that a plot covers: 24 hours, 30 days or 12 months. */
export type SeriesRange = "24h" | "30d" | "12mo";

/** What the usage is divided by. */
export type SeriesBy = "key" | "model" | "tenant";

/** What decides which parts have a series of their own. */
export type SeriesRank = "tokens" | "requests" | "audio_seconds";

/** Figures of each period. All lists have the same length. */
export interface SeriesFigures {
  readonly requests: readonly number[];
  readonly failures: readonly number[];
  /** Includes the cached ones. */
  readonly input_tokens: readonly number[];
  readonly cached_tokens: readonly number[];
  readonly output_tokens: readonly number[];
  readonly audio_seconds: readonly number[];
  /** The part of the input and output tokens that is an estimate. */
  readonly estimated: readonly number[];
}

export type SeriesFigure = keyof SeriesFigures;

/** The usage of one key, model or tenant. */
export interface Series extends SeriesFigures {
  /** The key's id, the model or the tenant; null for all that have no series of their own. */
  readonly id: string | null;
  readonly name: string;
}

export interface UsageSeries {
  readonly range: SeriesRange;
  readonly by: SeriesBy;
  /** The beginning of the first period, RFC 3339. */
  readonly from: string;
  /** The time of the answer. The last period is not over. */
  readonly to: string;
  readonly period_s: number;
  /** Those with most first, and at the end the sum of all others, if there are any. */
  readonly series: readonly Series[];
  /** How many keys, models or tenants the last series adds up. */
  readonly others: number;
  /** The servers of a cluster whose usage is missing because they have not answered. */
  readonly missing_servers: readonly string[];
}
