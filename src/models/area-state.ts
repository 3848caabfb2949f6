import type { RestrictionState } from "../plugin/restriction-state.ts";
import type { Pool } from "../pool/pool.ts";
import { type CallerState, toCallerStates } from "./caller-state.ts";
import type { ColdCaches } from "./cold-caches.ts";
import { type JobState, toJobsState } from "./job-state.ts";
import type { Ledger } from "./ledger.ts";
import type { ModelCards } from "./model-cards.ts";
import type { ModelPasts } from "./model-pasts.ts";
import { type ModelState, toModelStates } from "./model-state.ts";
import type { Moment } from "./moment.ts";
import { toWorkerState, type WorkerState, type WorkerStatus } from "./worker-state.ts";

// A pool in the State API: plain copies, with names in snake_case.

export interface ModelAreaState {
  readonly server: {
    readonly state: "ready" | "not_ready" | "draining";
    readonly version: string;
    readonly uptime_s: number;
    readonly jobs_inflight_total: number;
    readonly jobs_completed_total: number;
    readonly jobs_failed_total: number;
    readonly scheduler_queue_len: number;
    readonly scheduler_queue_capacity: number;
  };
  readonly workers_summary: Readonly<Record<WorkerStatus | "connected", number>>;
  /** Who has jobs, or had some in the last minute: those who wait most first, at most 50, and the rest as `(other)`. */
  readonly callers: readonly CallerState[];
  readonly models: readonly ModelState[];
  readonly workers: readonly WorkerState[];
  /** The worker ids that operators have drained or blocked, connected or not. */
  readonly restrictions: readonly RestrictionState[];
  /** The first 200 jobs: running ones before waiting ones, oldest first in each group. */
  readonly jobs: readonly JobState[];
}

export interface AreaParts {
  readonly pool: Pool;
  readonly ledger: Ledger;
  readonly cards: ModelCards;
  readonly pasts: ModelPasts;
  readonly coldCaches: ColdCaches;
  readonly restrictions: readonly RestrictionState[];
  readonly version: string;
  readonly isDraining: boolean;
  /** `Clock.elapsed` at the start of the area. */
  readonly startedAt: number;
  /** Requests that have begun and not ended. */
  readonly running: number;
}

/** Describes an area; looks at each worker, model and job once. */
export function toAreaState(parts: AreaParts, now: Moment): ModelAreaState {
  const { pool, ledger, cards, isDraining } = parts;
  const affinityOff = parts.coldCaches.bySession(now);
  const workers = Array.from(pool.seats(), (seat) => toWorkerState(seat, now, affinityOff.get(seat.session.id)));
  const jobs = toJobsState(pool.jobs, now.at);
  const isReady = workers.some(({ status }) => status === "idle" || status === "working");
  return {
    server: {
      state: isDraining ? "draining" : isReady ? "ready" : "not_ready",
      version: parts.version,
      uptime_s: Math.floor((now.elapsed - parts.startedAt) / 1000),
      jobs_inflight_total: parts.running,
      jobs_completed_total: ledger.counts.completed,
      jobs_failed_total: ledger.counts.failed,
      scheduler_queue_len: pool.queueLength,
      scheduler_queue_capacity: pool.queueCapacity,
    },
    workers_summary: {
      connected: workers.length,
      idle: countStatus(workers, "idle"),
      working: countStatus(workers, "working"),
      not_ready: countStatus(workers, "not_ready"),
      draining: countStatus(workers, "draining"),
    },
    callers: toCallerStates(pool.flows()),
    models: toModelStates({ pool, figures: ledger.models, cards, pasts: parts.pasts }, jobs.byModel, now.elapsed),
    workers,
    restrictions: parts.restrictions,
    jobs: jobs.shown,
  };
}

function countStatus(workers: readonly WorkerState[], status: WorkerStatus): number {
  return workers.filter((worker) => worker.status === status).length;
}
