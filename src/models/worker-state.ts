import { SPEED_UNIT, UNIT_RULES, type Unit } from "../figures/units.ts";
import type { Seat } from "../pool/seat.ts";
import type { AffinityOffState } from "./cold-caches.ts";
import type { Moment } from "./moment.ts";
import { type EjectionState, loadedOn, type SpeedState, toEjections, toSpeeds } from "./serving-state.ts";

export type WorkerStatus = "idle" | "working" | "not_ready" | "draining";

export function statusOf(seat: Seat): WorkerStatus {
  const { offer } = seat.session;
  if (offer.status === "draining" || seat.isDrained) return "draining";
  if (seat.capacity === 0) return "not_ready";
  return seat.busy > 0 ? "working" : "idle";
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
  /** The models that it offers although its key does not allow them, so that nobody gets them. */
  readonly refused_models: readonly string[];
  /** The only tenants whose requests it gets; null for a worker that serves all. */
  readonly tenants: readonly string[] | null;
  /** Those of its models that it has in memory, or is loading; null where it does not say. */
  readonly loaded: readonly string[] | null;
  /** The measured speeds of its models, at most 20. */
  readonly speeds: readonly SpeedState[];
  /** What it is out for because it failed too often; empty for a worker that gets jobs. */
  readonly ejections: readonly EjectionState[];
  /** The models of which it gets no request for the sake of its cache, because its backend did not keep prompts. */
  readonly affinity_off: readonly AffinityOffState[];
  readonly connected_at: string;
  readonly last_heartbeat: string;
  readonly max_concurrency: number;
  readonly embedding_batch_size: number | null;
  readonly inflight: number;
  readonly processed_total: number;
  readonly failures_total: number;
  readonly avg_processing_ms: number;
  /** Output tokens per second over the last minute, those of running streams included; null for a worker that had none yet. */
  readonly tokens_per_s: number | null;
  readonly last_error: string | null;
  /** RFC 3339; null without one. */
  readonly last_error_at: string | null;
}

const NOTHING: readonly string[] = Object.freeze([]);
const NOTHING_OFF: readonly AffinityOffState[] = Object.freeze([]);

/** Describes a worker. */
export function toWorkerState(
  seat: Seat,
  now: Moment,
  affinityOff: readonly AffinityOffState[] = NOTHING_OFF,
): WorkerState {
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
    refused_models: offer.refusedModels ?? NOTHING,
    tenants: offer.tenants ? [...offer.tenants] : null,
    loaded: loadedOn(seat)?.map(({ model }) => model) ?? null,
    speeds: toSpeeds(seat),
    ejections: toEjections(seat, now),
    affinity_off: affinityOff,
    connected_at: new Date(session.connectedAt).toISOString(),
    last_heartbeat: new Date(session.lastHeartbeatAt).toISOString(),
    max_concurrency: offer.maxConcurrency,
    embedding_batch_size: offer.embeddingBatchSize ?? null,
    inflight: seat.busy,
    processed_total: totals.processed,
    failures_total: totals.failures,
    avg_processing_ms: totals.processed === 0 ? 0 : Math.round(totals.processingMs / totals.processed),
    ...toUnitTotals(totals.usage),
    tokens_per_s: speedOf(totals, now.elapsed),
    last_error: totals.lastError ?? null,
    last_error_at:
      totals.lastFailedAt === undefined ? null : new Date(now.at + totals.lastFailedAt - now.elapsed).toISOString(),
  };
}

function speedOf({ usage, output }: Seat["totals"], now: number): number | null {
  const speed = tenths(output.rate(now));
  return speed > 0 || (usage[SPEED_UNIT] ?? 0) > 0 ? speed : null;
}

const TOTALS = UNIT_RULES.map(([unit]) => [unit, `${unit}_total`] as const);

function toUnitTotals(usage: Readonly<Record<string, number>>): UnitTotals {
  const totals: Record<string, number> = {};
  // Sums of fractions, such as seconds, would show their rounding errors.
  for (const [unit, field] of TOTALS) totals[field] = Math.round((usage[unit] ?? 0) * 1000) / 1000;
  return totals as UnitTotals; // has a field for every unit of the table
}

/** Rounds a rate to one decimal. */
export function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
