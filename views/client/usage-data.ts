import type { Series, SeriesBy, SeriesFigure, UsageSeries } from "../../src/usage/series-view.ts";
import { count, duration } from "./format.ts";

// The figures of the page on usage. All functions are pure.

/** What the plot shows. */
export type Measure = "tokens" | "input" | "cached" | "output" | "requests" | "audio";

/** The figures that are added up for each measure. */
const FIGURES: Readonly<Record<Measure, readonly SeriesFigure[]>> = {
  tokens: ["input_tokens", "output_tokens"],
  input: ["input_tokens"],
  cached: ["cached_tokens"],
  output: ["output_tokens"],
  requests: ["requests"],
  audio: ["audio_seconds"],
};

/** Returns what decides the order of the series for a measure. */
export function rankOf(measure: Measure): "tokens" | "requests" | "audio_seconds" {
  if (measure === "requests") return "requests";
  return measure === "audio" ? "audio_seconds" : "tokens";
}

/** Returns the values of a series for a measure, one for each period. */
export function valuesOf(series: Series, measure: Measure): readonly number[] {
  const [first, ...rest] = FIGURES[measure].map((figure) => series[figure]);
  return (first ?? []).map((value, at) => rest.reduce((sum, figures) => sum + (figures[at] ?? 0), value));
}

/**
 * Returns what is plotted in steps: the beginning of each period and the end of the last one, and the values from each of them on.
 * Without the end, the last period, in which the newest requests are, would have no width. `times` are in seconds.
 */
export function untilEnd(
  times: readonly number[],
  lists: readonly (readonly number[])[],
): readonly (readonly number[])[] {
  const [last, before] = [times.at(-1), times.at(-2)];
  if (last === undefined || before === undefined) return [times, ...lists];
  return [[...times, 2 * last - before], ...lists.map((list) => [...list, list.at(-1) ?? 0])];
}

/** Returns the place of the period in which a time is, of the first or the last one for a time beyond them. */
export function periodAt(times: readonly number[], at: number): number {
  const next = times.findIndex((begin) => begin > at);
  return next < 0 ? times.length - 1 : Math.max(0, next - 1);
}

/** A row of the table that is also the legend of the plot. */
export interface Total {
  /** The place of the series, from 0; it decides the colour. */
  readonly at: number;
  readonly key: string;
  readonly name: string;
  readonly requests: number;
  readonly failures: number;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly audio: number;
  /** Its part of the whole of the measure, from 0 to 1. */
  readonly share: number;
  /** The part of its tokens that is an estimate, from 0 to 1. */
  readonly estimated: number;
}

export function totalsOf({ series, by, others }: UsageSeries, measure: Measure): readonly Total[] {
  const measured = series.map((each) => sum(valuesOf(each, measure)));
  const whole = sum(measured);
  return series.map((each, at) => {
    const tokens = sum(each.input_tokens) + sum(each.output_tokens);
    return {
      at,
      key: each.id ?? "",
      name: nameOf(each, by, others),
      requests: sum(each.requests),
      failures: sum(each.failures),
      input: sum(each.input_tokens),
      cached: sum(each.cached_tokens),
      output: sum(each.output_tokens),
      audio: sum(each.audio_seconds),
      share: whole === 0 ? 0 : (measured[at] ?? 0) / whole,
      estimated: tokens === 0 ? 0 : sum(each.estimated) / tokens,
    };
  });
}

const MANY: Readonly<Record<SeriesBy, string>> = { key: "keys", model: "models", tenant: "tenants" };
const ONE: Readonly<Record<SeriesBy, string>> = { key: "key", model: "model", tenant: "tenant" };

function nameOf({ id, name }: Series, by: SeriesBy, others: number): string {
  if (id === null) return `${count(others)} other ${(others === 1 ? ONE : MANY)[by]}`;
  return name;
}

/** Returns the beginnings of the periods, in seconds since 1970. */
export function timesOf({ from, period_s: periodS, series }: UsageSeries): readonly number[] {
  const start = Date.parse(from) / 1000;
  return (series[0]?.requests ?? []).map((_, at) => start + at * periodS);
}

/**
 * Stacks lists of values: each list of the answer is the sum of its own and of all lists after it. The first one is thus the
 * outline of all of them, and is drawn first.
 */
export function stacked(lists: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const sums: (readonly number[])[] = [];
  for (const list of lists.toReversed()) {
    const below = sums[0];
    sums.unshift(below === undefined ? list : list.map((value, at) => value + (below[at] ?? 0)));
  }
  return sums;
}

/** Writes an amount of a measure. */
export function amountText(measure: Measure, value: number): string {
  return measure === "audio" ? (value === 0 ? "0" : duration(Math.ceil(value) * 1000)) : count(value);
}

/** A row of the table by time, the newest first. */
export interface PeriodRow {
  readonly at: number;
  readonly time: string;
  readonly total: number;
  readonly values: readonly number[];
}

/** Lists the periods in which something was used. */
export function periodsOf(
  times: readonly number[],
  lists: readonly (readonly number[])[],
  timeText: (seconds: number) => string,
): readonly PeriodRow[] {
  const rows = times.map((at, place) => {
    const values = lists.map((list) => list[place] ?? 0);
    return { at, time: timeText(at), total: sum(values), values };
  });
  return rows.filter(({ total }) => total > 0).reverse();
}

/** Says what part of the tokens is an estimate; empty if none is. */
export function estimateText({ series }: UsageSeries): string {
  const tokens = sum(series.map((each) => sum(each.input_tokens) + sum(each.output_tokens)));
  const estimated = sum(series.map((each) => sum(each.estimated)));
  if (estimated === 0 || tokens === 0) return "";
  const percent = (estimated / tokens) * 100;
  return `${percent < 1 ? "Less than 1" : Math.round(percent)} % of the tokens are estimates, because those answers stated none.`;
}

/** Names the servers of a cluster that have not answered; empty if all have. */
export function missingText({ missing_servers: missing }: UsageSeries): string {
  return missing.length === 0 ? "" : `Usage at server ${missing.join(", ")} is missing: no answer.`;
}

const CSV_FIGURES = [
  "requests",
  "failures",
  "input_tokens",
  "cached_tokens",
  "output_tokens",
  "audio_seconds",
  "estimated",
] as const satisfies readonly SeriesFigure[];

/** Writes the series that are shown as CSV (RFC 4180): a line for each period and series in which something was used. */
export function csvOf(usage: UsageSeries, isShown: (at: number) => boolean): string {
  const names = usage.by === "key" ? ["key", "key_name"] : [usage.by];
  const lines = [["at", ...names, ...CSV_FIGURES].join(",")];
  for (const [period, seconds] of timesOf(usage).entries())
    for (const [at, series] of usage.series.entries()) {
      if (!isShown(at)) continue;
      const amounts = CSV_FIGURES.map((figure) => series[figure][period] ?? 0);
      if (amounts.every((amount) => amount === 0)) continue;
      const owner = usage.by === "key" ? [series.id ?? series.name, series.name] : [series.name];
      lines.push([new Date(seconds * 1000).toISOString(), ...owner.map(field), ...amounts].join(","));
    }
  return `${lines.join("\r\n")}\r\n`;
}

/** Writes a field as `GET /api/usage` does: spreadsheets run a text that begins like a formula, unless an apostrophe precedes it. */
function field(value: string): string {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
