import { SPEED_UNIT, UNIT_RULES, type Unit } from "../figures/units.ts";
import type { RestrictionState } from "../plugin/restrictions.ts";
import type { Pool } from "../pool/pool.ts";
import type { Seat } from "../pool/seat.ts";
import { isDoctorModel } from "../wire/names.ts";
import type { JobState, ModelJobs } from "./job-state.ts";
import type { ModelCards } from "./model-cards.ts";
import type { ModelFigures } from "./model-figures.ts";

// A pool in the State API: plain copies, with names in snake_case.

export type WorkerStatus = "idle" | "working" | "not_ready" | "draining";

export function statusOf(seat: Seat): WorkerStatus {
  const { offer } = seat.session;
  if (offer.status === "draining" || seat.isDrained) return "draining";
  if (seat.capacity === 0) return "not_ready";
  return seat.busy > 0 ? "working" : "idle";
}

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
  readonly models: readonly ModelState[];
  readonly workers: readonly WorkerState[];
  /** The worker ids that operators have drained or blocked, connected or not. */
  readonly restrictions: readonly RestrictionState[];
  /** The first 200 jobs: running ones before waiting ones, oldest first in each group. */
  readonly jobs: readonly JobState[];
}

/** One model in the State API, under its workers' name for it. */
export interface ModelState {
  readonly name: string;
  /** Its kind, as in `/v1/models`: `chat`, `embedding`. Null where its workers name none. */
  readonly type: string | null;
  /** Tokens of the smallest context that any of its workers has for it; null where they say nothing. */
  readonly context_length: number | null;
  readonly workers: number;
  /** Free slots of the workers that serve it, which may use them for other models too. */
  readonly slots_free: number;
  readonly slots_total: number;
  readonly inflight: number;
  readonly waiting: number;
  /** Ended jobs for the model. */
  readonly requests_total: number;
  /** Output tokens per second over the last minute. */
  readonly tokens_per_s: number;
}

/** A worker's usage in each unit since it connected: `output_tokens_total`. */
export type UnitTotals = Readonly<Record<`${Unit}_total`, number>>;

/** One worker in the State API. Times are RFC 3339; the worker chose its name and the texts. */
export interface WorkerState extends UnitTotals {
  readonly id: string;
  readonly name: string;
  readonly status: WorkerStatus;
  readonly status_reason: string | null;
  /** Whether an operator has taken it out of service. */
  readonly operator_drained: boolean;
  readonly dialect: "native" | "legacy";
  readonly version: string | null;
  readonly host_info: Readonly<Record<string, string | number | null>>;
  readonly models: readonly string[];
  readonly connected_at: string;
  readonly last_heartbeat: string;
  readonly max_concurrency: number;
  readonly embedding_batch_size: number | null;
  readonly inflight: number;
  readonly processed_total: number;
  readonly failures_total: number;
  readonly avg_processing_ms: number;
  /** Output tokens per second over the last minute; null for a worker that has not stated any yet. */
  readonly tokens_per_s: number | null;
  readonly last_error: string | null;
}

/** Describes a worker. `now` is `Clock.elapsed`. */
export function toWorkerState(seat: Seat, now: number): WorkerState {
  const { session, totals } = seat;
  const { worker, offer, telemetry } = session;
  return {
    id: worker.id,
    name: worker.name,
    status: statusOf(seat),
    status_reason: offer.reason ?? null,
    operator_drained: seat.isDrained,
    dialect: session.dialect,
    version: worker.version ?? null,
    host_info: {
      ...worker.hostInfo,
      cpu_percent: telemetry.cpuPercent ?? null,
      ram_used_percent: telemetry.ramUsedPercent ?? null,
    },
    models: offer.models,
    connected_at: new Date(session.connectedAt).toISOString(),
    last_heartbeat: new Date(session.lastHeartbeatAt).toISOString(),
    max_concurrency: offer.maxConcurrency,
    embedding_batch_size: offer.embeddingBatchSize ?? null,
    inflight: seat.busy,
    processed_total: totals.processed,
    failures_total: totals.failures,
    avg_processing_ms: totals.processed === 0 ? 0 : Math.round(totals.processingMs / totals.processed),
    ...toUnitTotals(totals.usage),
    tokens_per_s: (totals.usage[SPEED_UNIT] ?? 0) > 0 ? tenths(totals.output.rate(now)) : null,
    last_error: totals.lastError ?? null,
  };
}

/** Describes every model that a request may name now. `now` is `Clock.elapsed`. */
export function toModelStates(
  { pool, figures, cards }: { readonly pool: Pool; readonly figures: ModelFigures; readonly cards: ModelCards },
  jobs: ReadonlyMap<string, ModelJobs>,
  now: number,
): readonly ModelState[] {
  const slots = new Map<string, { free: number; total: number }>();
  for (const seat of pool.seats()) {
    for (const model of seat.models) {
      const sum = slots.get(model) ?? { free: 0, total: 0 };
      slots.set(model, sum);
      sum.total += seat.capacity;
      sum.free += Math.max(0, seat.capacity - seat.busy);
    }
  }
  const names = pool.knownModels().filter((name) => !isDoctorModel(name));
  return names.map((name) => ({
    name,
    type: cards.factsOf(name)?.type ?? null,
    context_length: cards.factsOf(name)?.contextLength ?? null,
    workers: pool.workersOf(name),
    slots_free: slots.get(name)?.free ?? 0,
    slots_total: slots.get(name)?.total ?? 0,
    inflight: jobs.get(name)?.inflight ?? 0,
    waiting: jobs.get(name)?.waiting ?? 0,
    requests_total: figures.requests(name),
    tokens_per_s: tenths(figures.speed(name, now)),
  }));
}

const TOTALS = UNIT_RULES.map(([unit]) => [unit, `${unit}_total`] as const);

function toUnitTotals(usage: Readonly<Record<string, number>>): UnitTotals {
  const totals: Record<string, number> = {};
  // Sums of fractions, such as seconds, would show their rounding errors.
  for (const [unit, field] of TOTALS) totals[field] = Math.round((usage[unit] ?? 0) * 1000) / 1000;
  return totals as UnitTotals; // has a field for every unit of the table
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

export function countStatus(workers: readonly WorkerState[], status: WorkerStatus): number {
  return workers.filter((worker) => worker.status === status).length;
}
