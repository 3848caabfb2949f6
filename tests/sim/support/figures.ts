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
