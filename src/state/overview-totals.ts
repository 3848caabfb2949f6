import type { RecentTimes } from "../figures/recent-times.ts";
import type { Pulse, WorkerCounts } from "../plugin/reports.ts";
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
  readonly tokens: number;
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
  tokens: 0,
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
    tokens: sum.tokens + (pulse.tokens ?? 0),
    bytes: sum.bytes + (pulse.bytes ?? 0),
  };
}

/** Counts the workers of any status. */
export function sumOf(workers: WorkerCounts): number {
  return workers.idle + workers.working + workers.notReady + workers.draining;
}

/** The difference between two readings of the totals a second apart, with the gauges of the later one. */
export function toSample(at: number, before: Totals, now: Totals, firstBytes: RecentTimes): Sample {
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
    bytes: now.bytes - before.bytes,
    first_byte_p50_ms: firstBytes.quantile(0.5),
    first_byte_p95_ms: firstBytes.quantile(0.95),
  };
}

/** Returns whether two samples are equal except for their times. */
export function isAlike(one: Sample, other: Sample): boolean {
  return COLUMNS.every((column) => column === "at" || one[column] === other[column]);
}
