import type { Sample } from "../../src/state/history.ts";
import type { AlpineApi } from "./alpine.js";
import { type History, perSecond } from "./history.ts";
import type { PoolStore } from "./pool-store.ts";

// The small lines of the overview's tiles: the last five minutes, in points of five seconds.

const POINTS = 60;
const STEP_S = 5;
/** The box that a line is drawn into, as in the markup. */
const WIDTH = 100;
const HEIGHT = 20;

type Course = (samples: readonly Sample[]) => number | null;

const COURSES: Readonly<Record<string, Course>> = {
  tokens: (samples) => perSecond(samples, "tokens", STEP_S),
  requests: (samples) => perSecond(samples, "requests", STEP_S),
  failures: (samples) => perSecond(samples, "failures", STEP_S),
  latency: (samples) => samples.at(-1)?.first_byte_p50_ms ?? null,
  cached: (samples) => {
    const prompts = perSecond(samples, "prompt_tokens", STEP_S);
    return prompts === 0 ? null : perSecond(samples, "cached_tokens", STEP_S) / prompts;
  },
};

/** Adds the directive `x-spark="requests"`, which draws that course as the path of its element. */
export function registerSparks(alpine: AlpineApi, pool: () => PoolStore, history: History): void {
  alpine.directive("spark", (element, { expression }, { effect }) => {
    const course = COURSES[expression];
    if (!course) throw new Error(`there is no course ${expression}`);
    effect(() => {
      if (pool().tick >= 0) element.setAttribute("d", pathOf(pointsOf(history.samples, course)));
    });
  });
}

/** Returns a value for each five seconds, oldest first; null where there is none. The newest is at the end. */
function pointsOf(samples: readonly Sample[], course: Course): readonly (number | null)[] {
  return Array.from({ length: POINTS }, (_, at) => {
    const end = samples.length - (POINTS - 1 - at) * STEP_S;
    return end <= 0 ? null : course(samples.slice(Math.max(0, end - STEP_S), end));
  });
}

/** Returns the path of a line over values, the largest of which is at the top. A gap begins a new line. */
export function pathOf(values: readonly (number | null)[]): string {
  const top = Math.max(...values.map((value) => value ?? 0));
  const scale = top === 0 ? 0 : (HEIGHT - 2) / top;
  let isDrawing = false;
  return values
    .flatMap((value, at) => {
      if (value === null) {
        isDrawing = false;
        return [];
      }
      const command = isDrawing ? "L" : "M";
      isDrawing = true;
      const x = (at * WIDTH) / (values.length - 1);
      return [`${command}${x.toFixed(1)} ${(HEIGHT - 1 - value * scale).toFixed(1)}`];
    })
    .join("");
}
