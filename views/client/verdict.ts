import type { Sample } from "../../src/state/history.ts";
import type { PoolState } from "../../src/state/overview-totals.ts";
import type { ServerState } from "../../src/state/server-state.ts";
import { ENOUGH_REQUESTS } from "./enough-requests.ts";
import { count, percent, plural } from "./format.ts";
import { sumOf } from "./history.ts";

/** The pool's condition in one sentence, and its cause in another. */
export interface Verdict {
  readonly tone: "good" | "busy" | "bad";
  readonly title: string;
  readonly detail: string;
}

/** Returns the name of a plugin's work in people's words. */
export type LabelOf = (plugin: string) => string;

/** The share of used slots from which a pool counts as nearly full. */
const NEARLY_FULL_PERCENT = 85;

/**
 * Sums up the server's condition. The worst comes first: problems, then waiting jobs, then few free slots. Slots are compared
 * pool by pool, because free slots of one plugin are of no use to the jobs of another.
 */
export function verdictOf({ state, sample, pools, problems }: ServerState, labelOf: LabelOf): Verdict {
  if (state === "draining") {
    return {
      tone: "busy",
      title: "The server is shutting down.",
      detail: `${plural(sample.slots_used, "job")} still running; new jobs are refused.`,
    };
  }
  const detail = loadText(pools, labelOf);
  const isCritical = problems.some(({ severity }) => severity === "critical");
  const serious = problems.filter(({ severity }) => severity !== "info").length;
  if (isCritical) return { tone: "bad", title: needText(serious), detail };
  const workers = sample.workers_idle + sample.workers_working + sample.workers_not_ready + sample.workers_draining;
  const hasSlots = pools.some(({ slots_total }) => slots_total > 0);
  if (!hasSlots && workers > 0) {
    return {
      tone: "busy",
      title: workers === 1 ? "The only worker accepts no jobs." : "No worker accepts jobs.",
      detail: `${plural(sample.waiting, "job waiting", "jobs waiting")}. The page Workers shows which are drained or not ready.`,
    };
  }
  const waiting = verdictOfWaiting(pools, labelOf);
  if (waiting) return { ...waiting, detail };
  if (serious > 0) return { tone: "busy", title: needText(serious), detail };
  if (!hasSlots) return { tone: "good", title: "The server is up.", detail: "No jobs are running or waiting." };
  const fullest = fullestOf(pools);
  if (fullest && percent(fullest.slots_used, fullest.slots_total) >= NEARLY_FULL_PERCENT)
    return { tone: "busy", title: `${labelOf(fullest.plugin)}: nearly all slots are in use.`, detail };
  return { tone: "good", title: "All systems normal.", detail };
}

function needText(problems: number): string {
  return `${plural(problems, "problem")} ${problems === 1 ? "needs" : "need"} attention.`;
}

function verdictOfWaiting(pools: readonly PoolState[], labelOf: LabelOf): Omit<Verdict, "detail"> | undefined {
  const queued = pools.filter((pool) => pool.waiting > 0);
  const [first] = queued;
  if (!first) return undefined;
  const full = queued.find(isFull);
  const title = full
    ? `${labelOf(full.plugin)}: all slots are in use, and ${plural(full.waiting, "job waits", "jobs wait")}.`
    : `${labelOf(first.plugin)}: some jobs wait for a model whose workers are busy.`;
  return { tone: "busy", title };
}

/** Describes the slots and the queue of each pool in use. */
function loadText(pools: readonly PoolState[], labelOf: LabelOf): string {
  const used = poolsInUse(pools);
  const [only] = used;
  if (!only) return "No jobs are running or waiting.";
  const slots = ({ slots_used, slots_total }: PoolState): string =>
    `${count(slots_used)} of ${plural(slots_total, "slot")} in use`;
  if (used.length === 1)
    return `${slots(only)}; ${only.waiting === 0 ? "no jobs waiting" : plural(only.waiting, "job waiting", "jobs waiting")}.`;
  return used
    .map((pool) => {
      const waiting = pool.waiting === 0 ? "" : `, ${count(pool.waiting)} waiting`;
      return `${labelOf(pool.plugin)}: ${slots(pool)}${waiting}`;
    })
    .join(" · ");
}

export function isFull({ slots_used, slots_total }: PoolState): boolean {
  return slots_total > 0 && slots_used >= slots_total;
}

/** Returns the pool with the largest share of its slots in use; undefined if none has slots. */
function fullestOf(pools: readonly PoolState[]): PoolState | undefined {
  const share = ({ slots_used, slots_total }: PoolState): number => slots_used / slots_total;
  return pools.filter(({ slots_total }) => slots_total > 0).toSorted((a, b) => share(b) - share(a))[0];
}

/** Returns the pools that have slots or waiting jobs. */
export function poolsInUse(pools: readonly PoolState[]): readonly PoolState[] {
  return pools.filter(({ slots_total, waiting }) => slots_total > 0 || waiting > 0);
}

/** A pool as a tile shows it. */
export interface PoolTile extends PoolState {
  readonly label: string;
  readonly tone: "" | "busy" | "full";
  /** The queue in words. */
  readonly queueText: string;
}

export function toPoolTile(pool: PoolState, labelOf: LabelOf): PoolTile {
  const { plugin, waiting, queue_capacity: capacity } = pool;
  const tone = waiting > 0 && isFull(pool) ? "full" : waiting > 0 || isFull(pool) ? "busy" : "";
  const queueText = waiting === 0 ? "no jobs waiting" : `${count(waiting)} of ${count(capacity)} queue places taken`;
  return { ...pool, label: labelOf(plugin), tone, queueText };
}

/** Describes the failures of the last minute: as a share where there were enough requests for one, else as figures. */
export function failureText(samples: readonly Sample[]): string {
  const failures = sumOf(samples, "failures", 60);
  const requests = sumOf(samples, "requests", 60);
  if (requests > 0 && requests < ENOUGH_REQUESTS) return `${count(failures)} of ${count(requests)}`;
  return `${percent(failures, requests)} %`;
}
