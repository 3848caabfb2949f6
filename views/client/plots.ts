import type { Sample } from "../../src/state/history.ts";
import type { AlpineApi } from "./alpine.js";
import { bytes, clock, count, duration, rate } from "./format.ts";
import type { History } from "./history.ts";
import type { PoolStore } from "./pool-store.ts";
import "./language.ts";
import UPlot from "./uplot.js";

/** One line of a plot. `color` is a custom property of the style sheet. */
interface Line {
  readonly label: string;
  readonly color: string;
  readonly of: (sample: Sample, before: readonly Sample[]) => number | null;
  readonly isFilled?: boolean;
  readonly isDashed?: boolean;
  /** Whether it has the axis on the right, because its values are of another size. */
  readonly isOnRight?: boolean;
}

interface Plot {
  /** Whether the values are whole numbers. */
  readonly isWhole?: boolean;
  /** Steps between the lines of the axis, where neither those of whole numbers nor of others fit. */
  readonly steps?: readonly number[];
  readonly lines: readonly Line[];
  /** The colour between the first two lines, which are the bounds of a range. */
  readonly between?: string;
  readonly format: (value: number | null | undefined) => string;
}

/** Samples over which a rate is smoothed for each minute shown, since single seconds vary too much to be readable. */
const SMOOTHING = 1;

const smoothed =
  (field: "requests" | "failures" | "tokens" | "prompt_tokens" | "cached_tokens" | "bytes") =>
  (sample: Sample, before: readonly Sample[]): number => {
    let sum = sample[field];
    for (const each of before) sum += each[field];
    return sum / (before.length + 1);
  };

/** Steps between the lines of an axis of times, in milliseconds. */
const TIME_STEPS = [1, 10, 100, 1000, 10_000]
  .flatMap((unit) => [unit, 2 * unit, 5 * unit])
  .filter((step) => step < 30_000);
const LONG_STEPS = [30_000, ...[1, 2, 5, 10, 20, 60, 120].map((minutes) => minutes * 60_000)];

const PLOTS: Readonly<Record<string, Plot>> = {
  slots: {
    isWhole: true,
    format: (value) => (value === null || value === undefined ? "–" : count(value)),
    lines: [
      { label: "in use", color: "--blue", of: (sample) => sample.slots_used, isFilled: true },
      { label: "slots", color: "--soft", of: (sample) => sample.slots_total, isDashed: true },
      { label: "waiting (right)", color: "--orange", of: (sample) => sample.waiting, isOnRight: true },
    ],
  },
  requests: {
    format: rate,
    lines: [
      { label: "requests/s", color: "--blue", of: smoothed("requests"), isFilled: true },
      { label: "failures/s", color: "--red", of: smoothed("failures") },
    ],
  },
  tokens: {
    format: rate,
    lines: [{ label: "tokens/s", color: "--teal", of: smoothed("tokens"), isFilled: true }],
  },
  prompts: {
    format: rate,
    lines: [
      { label: "prompt tokens/s", color: "--blue", of: smoothed("prompt_tokens"), isFilled: true },
      { label: "from caches/s", color: "--teal", of: smoothed("cached_tokens") },
    ],
  },
  latency: {
    steps: [...TIME_STEPS, ...LONG_STEPS],
    format: duration,
    between: "--blue",
    lines: [
      { label: "p95", color: "--orange", of: (sample) => sample.first_byte_p95_ms },
      { label: "median", color: "--blue", of: (sample) => sample.first_byte_p50_ms },
    ],
  },
  bytes: {
    isWhole: true,
    format: (value) => (value === null || value === undefined ? "–" : `${bytes(value)}/s`),
    lines: [{ label: "bytes/s", color: "--teal", of: smoothed("bytes"), isFilled: true }],
  },
};

/** Plots with this key have one cursor. */
const SHARED = "activity";

/**
 * Adds the directive `x-plot="requests"`, which draws that plot into its element and redraws it with every state. `minutes`
 * returns the time that plots show. The pointer's time in any of them is shown in all, and is the store's `pointedAt`.
 */
export function registerPlots(alpine: AlpineApi, pool: () => PoolStore, history: History, minutes: () => number): void {
  const point = (at: number | null): void => {
    if (pool().pointedAt !== at) pool().pointedAt = at;
  };
  alpine.directive("plot", (element, { expression }, { effect, cleanup }) => {
    const plot = PLOTS[expression];
    if (!plot) throw new Error(`there is no plot ${expression}`);
    let drawn: UPlot | undefined;
    const draw = (): void => {
      // Hidden parts of the page have no size.
      if (element.clientWidth === 0) return;
      const size = { width: element.clientWidth, height: element.clientHeight };
      const shown = minutes() * 60;
      const smoothing = Math.max(5, minutes() * SMOOTHING);
      // The first of them are needed for rates alone.
      const columns = columnsOf(plot, history.samples.slice(-shown - smoothing), smoothing);
      drawn ??= new UPlot({ ...optionsOf(plot, minutes, point), ...size }, columns, element);
      if (drawn.width !== size.width || drawn.height !== size.height) drawn.setSize(size);
      drawn.setData(columns);
      // Unless the pointer is at a time, the legend shows the newest values.
      if ((drawn.cursor.left ?? -1) < 0) drawn.setLegend({ idx: Math.max(0, (columns[0]?.length ?? 0) - 1) });
    };
    const redraw = (): void => {
      drawn?.destroy();
      drawn = undefined;
      draw();
    };
    const resizes = new ResizeObserver(draw);
    resizes.observe(element);
    document.addEventListener("themechange", redraw);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", redraw);
    effect(() => {
      if (pool().tick >= 0 && minutes() > 0) draw();
    });
    cleanup(() => {
      resizes.disconnect();
      document.removeEventListener("themechange", redraw);
      scheme.removeEventListener("change", redraw);
      drawn?.destroy();
    });
  });
}

function columnsOf({ lines }: Plot, samples: readonly Sample[], smoothing: number): UPlot.AlignedData {
  const at = samples.map((sample) => sample.at / 1000);
  const columns = lines.map((line) =>
    samples.map((sample, index) => line.of(sample, samples.slice(Math.max(0, index - smoothing + 1), index))),
  );
  return [at, ...columns];
}

/** Steps between the lines of an axis with whole numbers: 1, 2, 5, 10 … up to 5 × 10¹², so that no label appears twice. */
const WHOLE_STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();

function optionsOf(
  { lines, format, between, steps, isWhole = false }: Plot,
  minutes: () => number,
  point: (at: number | null) => void,
): Omit<UPlot.Options, "width" | "height"> {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis: UPlot.Axis = {
    stroke: color("--soft"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  const values: UPlot.Axis = {
    ...axis,
    size: steps ? 68 : 52,
    space: 28,
    incrs: [...(steps ?? (isWhole ? WHOLE_STEPS : [0.1, 0.2, 0.5, ...WHOLE_STEPS]))],
    values: (_plot, splits) => splits.map((value) => format(value)),
  };
  const range: UPlot.Range.Function = (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)];
  const right = lines.find(({ isOnRight }) => isOnRight === true);
  return {
    padding: [8, right ? 0 : 8, 0, 0],
    cursor: {
      y: false,
      points: { size: 6 },
      drag: { x: false, y: false },
      sync: { key: SHARED, scales: ["x", null] },
    },
    hooks: {
      setCursor: [
        (plot) => {
          const left = plot.cursor.left ?? -1;
          point(left < 0 ? null : Math.round(plot.posToVal(left, "x")) * 1000);
        },
      ],
    },
    legend: { live: true },
    scales: {
      x: { time: true, range: (_plot, _min, max) => [(max ?? 0) - minutes() * 60, max ?? 0] },
      y: { range },
      ...(right ? { right: { range } } : {}),
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 80,
        values: (_plot, splits, _axis, _space, step) => splits.map((at) => clock(at * 1000, step % 60 !== 0)),
      },
      values,
      ...(right
        ? [{ ...values, scale: "right", side: 1, size: 36, stroke: color(right.color), grid: { show: false } }]
        : []),
    ],
    ...(between === undefined ? {} : { bands: [{ series: [1, 2], fill: faint(color(between)) }] }),
    series: [
      { label: "at" },
      ...lines.map(
        (line): UPlot.Series => ({
          label: line.label,
          scale: line.isOnRight === true ? "right" : "y",
          stroke: color(line.color),
          width: 1.5,
          points: { show: false },
          value: (_plot, value) => format(value),
          ...(line.isFilled ? { fill: faint(color(line.color)) } : {}),
          ...(line.isDashed ? { dash: [4, 4] } : {}),
        }),
      ),
    ],
  };
}

/** Makes a colour translucent. Registered colours are read as `rgb(…)`. */
function faint(color: string): string {
  return color.replace(/\)$/, ", 0.14)");
}
