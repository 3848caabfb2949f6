import { type CauseCounts, NO_CAUSES } from "../plugin/failure-cause.ts";
import type { Pulse, WorkerCounts } from "../plugin/reports.ts";
import type { FirstByte } from "./cluster-facts.ts";
import { COLUMNS, type Sample } from "./history.ts";

/** The sum of all plugins' pulses. */
export interface Totals {
  readonly needsWorkers: boolean;
  readonly idle: number;
  readonly working: number;
  readonly notReady: number;
  readonly draining: number;
  readonly slotsUsed: number;
  readonly slotsTotal: number;
  readonly waiting: number;
  readonly requests: number;
  readonly failures: number;
  readonly causes: CauseCounts;
  readonly tokens: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly bytes: number;
}

export const ZERO: Totals = {
  needsWorkers: false,
  idle: 0,
  working: 0,
  notReady: 0,
  draining: 0,
  slotsUsed: 0,
  slotsTotal: 0,
  waiting: 0,
  requests: 0,
  failures: 0,
  causes: NO_CAUSES,
  tokens: 0,
  promptTokens: 0,
  cachedTokens: 0,
  bytes: 0,
};

/** Adds one more plugin's pulse to a sum. */
export function added(sum: Totals, pulse: Pulse): Totals {
  const { workers } = pulse;
  return {
    needsWorkers: sum.needsWorkers || workers !== undefined,
    idle: sum.idle + (workers?.idle ?? 0),
    working: sum.working + (workers?.working ?? 0),
    notReady: sum.notReady + (workers?.notReady ?? 0),
    draining: sum.draining + (workers?.draining ?? 0),
    slotsUsed: sum.slotsUsed + (pulse.slots?.used ?? 0),
    slotsTotal: sum.slotsTotal + (pulse.slots?.total ?? 0),
    waiting: sum.waiting + (pulse.queue?.waiting ?? 0),
    requests: sum.requests + pulse.requests,
    failures: sum.failures + (pulse.failures ?? 0),
    causes: pulse.causes ? addedCauses(sum.causes, pulse.causes) : sum.causes,
    tokens: sum.tokens + (pulse.tokens ?? 0),
    promptTokens: sum.promptTokens + (pulse.prompt?.tokens ?? 0),
    cachedTokens: sum.cachedTokens + (pulse.prompt?.cached ?? 0),
    bytes: sum.bytes + (pulse.bytes ?? 0),
  };
}

function addedCauses(one: CauseCounts, other: CauseCounts): CauseCounts {
  return {
    rejected: one.rejected + other.rejected,
    timeout: one.timeout + other.timeout,
    backend: one.backend + other.backend,
    lost: one.lost + other.lost,
    other: one.other + other.other,
  };
}

/** The slots and the queue of one plugin's workers, in the State API. */
export interface PoolState {
  readonly plugin: string;
  readonly slots_used: number;
  readonly slots_total: number;
  readonly waiting: number;
  readonly queue_capacity: number;
  readonly workers: {
    readonly idle: number;
    readonly working: number;
    readonly not_ready: number;
    readonly draining: number;
  };
  /** Output tokens per second over the last ten seconds, those of running streams included. */
  readonly tokens_per_s: number;
  /** Whether a part of them is told from the bytes of streams that run. */
  readonly tokens_estimated: boolean;
}

/** Describes the pool of a plugin; undefined for a plugin without one. `tokensPerS` is its rate of output. */
export function toPoolState(plugin: string, pulse: Pulse, tokensPerS: number): PoolState | undefined {
  const { slots, queue, workers } = pulse;
  if (!slots) return undefined;
  const { waiting = 0, capacity = 0 } = queue ?? {};
  return {
    plugin,
    slots_used: slots.used,
    slots_total: slots.total,
    waiting,
    queue_capacity: capacity,
    workers: {
      idle: workers?.idle ?? 0,
      working: workers?.working ?? 0,
      not_ready: workers?.notReady ?? 0,
      draining: workers?.draining ?? 0,
    },
    tokens_per_s: Math.round(tokensPerS * 10) / 10,
    tokens_estimated: pulse.areTokensEstimated ?? false,
  };
}

/** Counts the workers of any status. */
export function sumOf(workers: WorkerCounts): number {
  return workers.idle + workers.working + workers.notReady + workers.draining;
}

/** The difference between two readings of the totals a second apart, with the gauges of the later one. */
export function toSample(at: number, before: Totals, now: Totals, firstByte: FirstByte): Sample {
  return {
    at,
    workers_idle: now.idle,
    workers_working: now.working,
    workers_not_ready: now.notReady,
    workers_draining: now.draining,
    slots_used: now.slotsUsed,
    slots_total: now.slotsTotal,
    waiting: now.waiting,
    requests: now.requests - before.requests,
    failures: now.failures - before.failures,
    tokens: now.tokens - before.tokens,
    prompt_tokens: now.promptTokens - before.promptTokens,
    cached_tokens: now.cachedTokens - before.cachedTokens,
    bytes: now.bytes - before.bytes,
    first_byte_p50_ms: firstByte.p50Ms,
    first_byte_p95_ms: firstByte.p95Ms,
  };
}

/** Returns whether two samples are equal except for their times. */
export function isAlike(one: Sample, other: Sample): boolean {
  return COLUMNS.every((column) => column === "at" || one[column] === other[column]);
}
