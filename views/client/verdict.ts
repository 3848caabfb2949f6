import type { PoolState } from "../../src/state/overview-totals.ts";
import type { ServerState } from "../../src/state/server-state.ts";
import { percent, plural } from "./format.ts";

/** The pool's condition in one sentence, and its cause in another. */
export interface Verdict {
  readonly tone: "good" | "busy" | "bad";
  readonly title: string;
  readonly detail: string;
}

/** The share of used slots from which a pool counts as nearly full. */
const NEARLY_FULL_PERCENT = 85;

/**
 * Sums up the server's condition. The worst comes first: problems, then waiting jobs, then few free slots. Slots are compared
 * pool by pool, because free slots of one plugin are of no use to the jobs of another.
 */
export function verdictOf({ state, sample, pools, problems }: ServerState): Verdict {
  if (state === "draining") {
    return {
      tone: "busy",
      title: "The server is shutting down.",
      detail: `${plural(sample.slots_used, "job")} still running; new jobs are refused.`,
    };
  }
  const critical = problems.find(({ severity }) => severity === "critical");
  if (critical) return { tone: "bad", title: critical.title, detail: critical.advice };
  const { slots_used: used, slots_total: total, waiting } = sample;
  const load = `${used} of ${plural(total, "slot")} in use`;
  const workers = sample.workers_idle + sample.workers_working + sample.workers_not_ready + sample.workers_draining;
  if (total === 0 && workers > 0) {
    return {
      tone: "busy",
      title: workers === 1 ? "The only worker accepts no jobs." : "No worker accepts jobs.",
      detail: `${plural(waiting, "job waiting", "jobs waiting")}; each plugin's page shows which workers are drained or not ready.`,
    };
  }
  if (waiting > 0) return verdictOfWaiting(waiting, load, pools);
  const warning = problems.find(({ severity }) => severity === "warning");
  if (warning) return { tone: "busy", title: warning.title, detail: warning.advice };
  if (total === 0) return { tone: "good", title: "The server is up.", detail: "No jobs are running or waiting." };
  const fullest = fullestOf(pools);
  if (fullest && percent(fullest.slots_used, fullest.slots_total) >= NEARLY_FULL_PERCENT) {
    const detail = `${fullest.slots_used} of ${plural(fullest.slots_total, "slot")} in use; no jobs waiting yet.`;
    return { tone: "busy", title: `${nameOf(fullest, pools)} is nearly full.`, detail };
  }
  return { tone: "good", title: "All systems normal.", detail: `${load}; no jobs waiting.` };
}

function verdictOfWaiting(waiting: number, load: string, pools: readonly PoolState[]): Verdict {
  const jobs = plural(waiting, "job waiting", "jobs waiting");
  const full = pools.find((pool) => pool.waiting > 0 && pool.slots_total > 0 && pool.slots_used >= pool.slots_total);
  if (!full) {
    return {
      tone: "busy",
      title: "Some jobs are waiting for a model whose workers are busy.",
      detail: `${jobs}; ${load}. The Models page shows which.`,
    };
  }
  return {
    tone: "busy",
    title: isOnlyPool(pools) ? "The workers are the bottleneck." : `The ${full.plugin} workers are the bottleneck.`,
    detail: `${jobs}; ${full.slots_used} of ${plural(full.slots_total, "slot")} in use. More workers or slots would help.`,
  };
}

/** Describes the queue with the largest share of its places taken. */
export function queueText(pools: readonly PoolState[]): string {
  const share = ({ waiting, queue_capacity }: PoolState): number => waiting / queue_capacity;
  const fullest = pools.filter(({ waiting }) => waiting > 0).toSorted((a, b) => share(b) - share(a))[0];
  if (!fullest) return "jobs in the queue";
  const places = `${fullest.waiting} of ${fullest.queue_capacity} places taken`;
  return isOnlyPool(pools) ? places : `${fullest.plugin}: ${places}`;
}

/** Returns the pool with the largest share of its slots in use; undefined if none has slots. */
function fullestOf(pools: readonly PoolState[]): PoolState | undefined {
  const share = ({ slots_used, slots_total }: PoolState): number => slots_used / slots_total;
  return pools.filter(({ slots_total }) => slots_total > 0).toSorted((a, b) => share(b) - share(a))[0];
}

function nameOf({ plugin }: PoolState, pools: readonly PoolState[]): string {
  return isOnlyPool(pools) ? "The pool" : `The ${plugin} pool`;
}

function isOnlyPool(pools: readonly PoolState[]): boolean {
  return poolsInUse(pools).length <= 1;
}

/** Returns the pools that have slots or waiting jobs. */
export function poolsInUse(pools: readonly PoolState[]): readonly PoolState[] {
  return pools.filter(({ slots_total, waiting }) => slots_total > 0 || waiting > 0);
}
