import { quantile } from "../../../bench/numbers.ts";
import type { Simulation } from "./simulation.ts";
import { isFinished } from "./trace.ts";

/** What a simulation showed. */
export interface Figures {
  /** Requests that were answered in full. */
  readonly finished: number;
  /** Milliseconds from a request to the first token of its answer. */
  readonly firstTokenMs: { readonly p50: number; readonly p95: number };
  /** Prompt tokens that were computed. */
  readonly computedTokens: number;
  /** The part of the prompt tokens that came from a cache. */
  readonly cachedShare: number;
}

/** The part of a simulation that figures of time leave out, because caches are still cold. */
const WARM_UP = 0.1;

/** Sums up a simulation. Requests that have no first token yet count for nothing. */
export function figuresOf({ traces, machines, now }: Simulation): Figures {
  const waits = traces.flatMap(({ sentAt, firstTokenAt }) =>
    firstTokenAt === undefined || sentAt < now * WARM_UP ? [] : [firstTokenAt - sentAt],
  );
  const computedTokens = machines.reduce((sum, { server }) => sum + server.computedTokens, 0);
  const cachedTokens = machines.reduce((sum, { server }) => sum + server.cachedTokens, 0);
  return {
    finished: traces.filter(isFinished).length,
    firstTokenMs: { p50: quantile(waits, 0.5), p95: quantile(waits, 0.95) },
    computedTokens,
    cachedShare: cachedTokens / (computedTokens + cachedTokens),
  };
}

/** What one caller got of a simulation. */
export interface CallerFigures {
  readonly finished: number;
  /** Milliseconds in the queue, of requests that got a slot. */
  readonly queueMs: { readonly p50: number; readonly p95: number };
  readonly firstTokenMs: { readonly p50: number; readonly p95: number };
  /** The part of the servers' time that its requests took. */
  readonly share: number;
}

/** Sums up what a caller got. */
export function figuresOfCaller({ traces, now }: Simulation, name: string): CallerFigures {
  const own = traces.filter(({ wish }) => wish.caller.name === name);
  const counted = own.filter(({ sentAt }) => sentAt >= now * WARM_UP);
  const computeMs = (of: typeof traces): number => of.reduce((sum, { cost }) => sum + (cost?.computeMs ?? 0), 0);
  return {
    finished: own.filter(isFinished).length,
    queueMs: quantiles(counted.flatMap(({ report }) => report?.queuedMs ?? [])),
    firstTokenMs: quantiles(
      counted.flatMap(({ sentAt, firstTokenAt }) => (firstTokenAt === undefined ? [] : [firstTokenAt - sentAt])),
    ),
    share: computeMs(own) / computeMs(traces),
  };
}

function quantiles(values: readonly number[]): { readonly p50: number; readonly p95: number } {
  return { p50: quantile(values, 0.5), p95: quantile(values, 0.95) };
}
