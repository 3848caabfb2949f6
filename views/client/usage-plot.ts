import type { SeriesRange } from "../../src/usage/series-view.ts";
import type { AlpineApi } from "./alpine.js";
import { clock } from "./format.ts";
import "./language.ts";
import UPlot from "./uplot.js";
import type { Drawing } from "./usage.ts";
import { amountText, periodAt, stacked, untilEnd } from "./usage-data.ts";

/** What the component around the plot offers. */
interface Host {
  drawing(): Drawing | null;
  point(place: number | null): void;
}

/** Adds the directive `x-usage-plot`, which draws the usage of the component around it as stacked areas. */
export function registerUsagePlot(alpine: AlpineApi): void {
  alpine.directive("usage-plot", (element, { expression }, { effect, evaluate, cleanup }) => {
    const host = evaluate(expression) as Host; // `$data`, by the markup
    let drawn: UPlot | undefined;
    let shape = "";
    const draw = (): void => {
      const drawing = host.drawing();
      if (drawing === null || element.clientWidth === 0) return;
      const size = { width: element.clientWidth, height: element.clientHeight };
      // The largest series is at the bottom, where its course is easiest to read, and is drawn last.
      const series = drawing.series.toReversed();
      const lists = stacked(series.map(({ values }) => values));
      const columns = untilEnd(drawing.times, lists) as UPlot.AlignedData; // all of one length
      const isSeparated = size.width / drawing.times.length > SEPARATED_PX;
      const needed = JSON.stringify([drawing.measure, drawing.range, series.map(({ at }) => at), isSeparated]);
      if (needed !== shape) {
        drawn?.destroy();
        drawn = new UPlot({ ...optionsOf({ ...drawing, series }, host, isSeparated), ...size }, columns, element);
        shape = needed;
        return;
      }
      if (drawn?.width !== size.width || drawn.height !== size.height) drawn?.setSize(size);
      drawn?.setData(columns);
    };
    const redraw = (): void => {
      shape = "";
      draw();
    };
    const resizes = new ResizeObserver(draw);
    resizes.observe(element);
    document.addEventListener("themechange", redraw);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", redraw);
    effect(draw);
    cleanup(() => {
      resizes.disconnect();
      document.removeEventListener("themechange", redraw);
      scheme.removeEventListener("change", redraw);
      drawn?.destroy();
    });
  });
}

/** The width of a period, in pixels, from which on areas are separated by lines. Narrower ones would be lines alone. */
const SEPARATED_PX = 4;

/** Steps between the lines of the axis: 1, 2, 5, 10 … */
const STEPS = Array.from({ length: 14 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();

function optionsOf(drawing: Drawing, host: Host, isSeparated: boolean): Omit<UPlot.Options, "width" | "height"> {
  const { measure, range, series } = drawing;
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const font = `11px ${style.fontFamily}`;
  const stepped = UPlot.paths.stepped?.({ align: 1 });
  return {
    // The label of the last period may be in the middle of the right edge.
    padding: [8, 32, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    hooks: {
      setCursor: [
        (plot) => {
          const left = plot.cursor.left ?? -1;
          host.point(left < 0 ? null : periodAt(drawing.times, plot.posToVal(left, "x")));
        },
      ],
    },
    scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.05)] } },
    axes: [
      { ...axis, font, size: 24, space: 70, values: (_plot, splits) => splits.map((at) => tick(at, range)) },
      {
        ...axis,
        font,
        size: 58,
        space: 32,
        incrs: STEPS,
        values: (_plot, splits) => splits.map((value) => amountText(measure, value)),
      },
    ],
    series: [
      {},
      ...series.map(({ at, name }): UPlot.Series => {
        const fill = color(at < 0 ? "--series-other" : `--series-${at + 1}`);
        return {
          label: name,
          fill,
          // A line of the background between two areas.
          ...(isSeparated ? { stroke: color("--card"), width: 1 } : { width: 0 }),
          points: { show: false },
          ...(stepped === undefined ? {} : { paths: stepped }),
        };
      }),
    ],
  };
}

function tick(seconds: number, range: SeriesRange): string {
  const at = new Date(seconds * 1000);
  if (range === "24h") return clock(seconds * 1000);
  return at.toLocaleDateString([], { day: "numeric", month: "short", ...(range === "12mo" && { timeZone: "UTC" }) });
}
