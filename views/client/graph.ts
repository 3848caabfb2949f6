import type { ColumnHistory } from "../../src/plugin/details.ts";
import { count, duration, rate } from "./format.ts";

// The history of a worker or a model as graphs. All functions are pure.

export interface GraphLine {
  readonly label: string;
  /** A custom property of the style sheet. */
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly isFilled?: boolean;
  readonly isDashed?: boolean;
  /** Whether most intervals may be without a value. */
  readonly hasGaps?: boolean;
}

export interface Graph {
  readonly id: string;
  readonly title: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly GraphLine[];
  readonly isWhole: boolean;
  readonly format: (value: number | null | undefined) => string;
}

interface Wanted {
  readonly id: string;
  readonly title: string;
  readonly isWhole?: boolean;
  readonly format: Graph["format"];
  readonly lines: readonly (Omit<GraphLine, "values"> & { readonly column: string; readonly isPerSecond?: boolean })[];
}

const whole = (value: number | null | undefined): string =>
  value === null || value === undefined ? "–" : count(value);

/** A graph is left out where the history has none of its columns, or where they hold nothing. */
const WANTED: readonly Wanted[] = [
  {
    id: "slots",
    title: "Slots",
    isWhole: true,
    format: whole,
    lines: [
      { label: "in use", color: "--blue", column: "slots_used", isFilled: true },
      { label: "running", color: "--blue", column: "inflight", isFilled: true },
      { label: "slots", color: "--soft", column: "slots_total", isDashed: true },
      { label: "waiting", color: "--orange", column: "waiting" },
    ],
  },
  {
    id: "requests",
    title: "Requests",
    format: (value) => (value === null || value === undefined ? "–" : `${rate(value)}/s`),
    lines: [
      { label: "requests", color: "--blue", column: "requests", isPerSecond: true, isFilled: true },
      { label: "failures", color: "--red", column: "failures", isPerSecond: true },
    ],
  },
  {
    id: "tokens",
    title: "Output tokens",
    format: (value) => (value === null || value === undefined ? "–" : `${rate(value)}/s`),
    lines: [{ label: "tokens", color: "--teal", column: "tokens_per_s", isFilled: true }],
  },
  {
    id: "latency",
    title: "Time to first byte",
    isWhole: true,
    format: duration,
    lines: [{ label: "average", color: "--blue", column: "first_byte_ms", hasGaps: true }],
  },
];

export function graphOf<C extends string>({ samples, interval_ms: intervalMs }: ColumnHistory<C>): readonly Graph[] {
  const columns = samples as Readonly<Record<string, readonly (number | null)[]>>;
  const times = (columns["at"] ?? []).map((at) => (at ?? 0) / 1000);
  if (times.length === 0) return [];
  return WANTED.flatMap(({ lines, isWhole = false, ...wanted }) => {
    const known = lines.flatMap(({ column, isPerSecond, ...line }) => {
      const values = columns[column];
      if (!values?.some((value) => value !== null)) return [];
      const scale = isPerSecond === true ? intervalMs / 1000 : 1;
      return [{ ...line, values: values.map((value) => (value === null ? null : value / scale)) }];
    });
    return known.length === 0 ? [] : [Object.freeze({ ...wanted, isWhole, times, lines: known })];
  });
}
