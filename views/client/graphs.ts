import type { AlpineApi } from "./alpine.js";
import type { Graph } from "./graph.ts";
import "./language.ts";
import UPlot from "./uplot.js";

/** Adds the directive `x-graph="graph"`, which draws a graph into its element and draws it again when it changes. */
export function registerGraphs(alpine: AlpineApi): void {
  alpine.directive("graph", (element, { expression }, { effect, evaluate, cleanup }) => {
    let drawn: UPlot | undefined;
    let graph: Graph | undefined;
    const draw = (): void => {
      // Hidden parts of the page have no size.
      if (!graph || element.clientWidth === 0) return;
      const size = { width: element.clientWidth, height: element.clientHeight };
      const columns = [graph.times, ...graph.lines.map(({ values }) => values)] as unknown as UPlot.AlignedData; // of one length
      if (drawn?.series.length !== columns.length) {
        drawn?.destroy();
        drawn = undefined;
      }
      drawn ??= new UPlot({ ...optionsOf(graph), ...size }, columns, element);
      if (drawn.width !== size.width || drawn.height !== size.height) drawn.setSize(size);
      drawn.setData(columns);
      // Unless the pointer is at a time, the legend shows the newest values.
      if ((drawn.cursor.left ?? -1) < 0) drawn.setLegend({ idx: Math.max(0, graph.times.length - 1) });
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
      graph = evaluate(expression) as Graph; // by the markup
      draw();
    });
    cleanup(() => {
      resizes.disconnect();
      document.removeEventListener("themechange", redraw);
      scheme.removeEventListener("change", redraw);
      drawn?.destroy();
    });
  });
}

function optionsOf({ lines, isWhole, format }: Graph): Omit<UPlot.Options, "width" | "height"> {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const font = `11px ${style.fontFamily}`;
  return {
    padding: [8, 24, 0, 0],
    // The graphs of one page show the same moment.
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: { key: "graphs" } },
    scales: {
      x: { time: true, range: (_plot, _min, max) => [(max ?? 0) - WINDOW_S, max ?? 0] },
      y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, font, size: 24, space: 80, values: (_plot, splits) => splits.map(clock) },
      {
        ...axis,
        font,
        size: 58,
        space: 32,
        ...(isWhole ? { incrs: STEPS } : {}),
        values: (_plot, splits) => splits.map((value) => format(value)),
      },
    ],
    series: [
      { value: (_plot, at) => (at === null ? "" : clock(at)) },
      ...lines.map(({ label, color: name, isFilled, isDashed, hasGaps }): UPlot.Series => {
        const stroke = color(name);
        return {
          label,
          stroke,
          width: 1.5,
          // A value between two gaps is a point, since it is no line.
          points: { show: hasGaps === true, size: 4 },
          spanGaps: hasGaps === true,
          value: (_plot, value) => format(value),
          ...(isFilled === true ? { fill: faint(stroke) } : {}),
          ...(isDashed === true ? { dash: [4, 4] } : {}),
        };
      }),
    ],
  };
}

/** The length of the histories that the server keeps. */
const WINDOW_S = 15 * 60;

/** Steps between the lines of an axis of whole numbers: 1, 2, 5, 10 … */
const STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();

/** Makes a colour translucent. Registered colours are read as `rgb(…)`. */
function faint(color: string): string {
  return color.replace(/\)$/, ", 0.14)");
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
