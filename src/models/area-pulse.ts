import type { CauseCounts } from "../plugin/failure-cause.ts";
import type { Pulse } from "../plugin/reports.ts";
import type { Pool } from "../pool/pool.ts";
import type { Ledger } from "./ledger.ts";
import { statusOf } from "./worker-state.ts";

const COUNTED_AS = { idle: "idle", working: "working", not_ready: "notReady", draining: "draining" } as const;

/** Sums up an area; looks at each worker and job once. */
export function toPulse(pool: Pool, ledger: Ledger, causes: CauseCounts): Pulse & { readonly lastHeartbeatAt: number } {
  const workers = { idle: 0, working: 0, notReady: 0, draining: 0 };
  let slotsTotal = 0;
  let lastHeartbeatAt = 0;
  for (const seat of pool.seats()) {
    workers[COUNTED_AS[statusOf(seat)]] += 1;
    slotsTotal += seat.capacity;
    lastHeartbeatAt = Math.max(lastHeartbeatAt, seat.session.lastHeartbeatAt);
  }
  const { ended, broken, promptTokens, cachedTokens, bytesOut } = ledger.counts;
  let bytes = bytesOut;
  for (const job of pool.jobs.all()) bytes += job.bytesOut;
  return {
    lastHeartbeatAt,
    workers,
    slots: { used: pool.busyTotal, total: slotsTotal },
    queue: { waiting: pool.queueLength, capacity: pool.queueCapacity },
    requests: ended,
    failures: broken,
    causes: { ...causes },
    tokens: ledger.outputSoFar,
    areTokensEstimated: ledger.isOutputEstimated,
    prompt: { tokens: promptTokens, cached: cachedTokens },
    bytes,
  };
}
