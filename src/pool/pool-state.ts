import type { Seat } from "./seat.ts";

// What the State API says of a pool: names in snake_case, plain copies.

export type WorkerStatus = "idle" | "working" | "not_ready" | "draining";

export function statusOf(seat: Seat): WorkerStatus {
  const { offer } = seat.session;
  if (offer.status === "draining") return "draining";
  if (seat.capacity === 0) return "not_ready";
  return seat.busy > 0 ? "working" : "idle";
}

export interface PluginPoolState {
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
  readonly models: readonly { readonly name: string; readonly workers: number }[];
  readonly workers: readonly WorkerState[];
}

/** One worker in the State API. Times are RFC 3339; text is the worker's own word. */
export interface WorkerState {
  readonly id: string;
  readonly name: string;
  readonly status: WorkerStatus;
  readonly status_reason: string | null;
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
  readonly input_tokens_total: number;
  readonly output_tokens_total: number;
  readonly audio_seconds_total: number;
  readonly last_error: string | null;
}

export function toWorkerState(seat: Seat): WorkerState {
  const { session, totals } = seat;
  const { worker, offer, telemetry } = session;
  return {
    id: worker.id,
    name: worker.name,
    status: statusOf(seat),
    status_reason: offer.reason ?? null,
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
    input_tokens_total: totals.inputTokens,
    output_tokens_total: totals.outputTokens,
    audio_seconds_total: Math.round(totals.audioSeconds * 1000) / 1000,
    last_error: totals.lastError ?? null,
  };
}

export function countStatus(workers: readonly WorkerState[], status: WorkerStatus): number {
  return workers.filter((worker) => worker.status === status).length;
}
