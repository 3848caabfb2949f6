import type { Metrics } from "../figures/metrics.ts";
import type { Pool } from "../pool/pool.ts";
import { statusOf, type WorkerStatus } from "./worker-state.ts";

/** Registers a pool's gauges, which are read at each scrape. */
export function registerGauges(metrics: Metrics, plugin: string, pool: Pool, running: () => number): void {
  const labels = { plugin };
  metrics.gauge("moorage_workers", "Workers connected, by status.", ["plugin", "status"], () => {
    const counts: Record<WorkerStatus, number> = { idle: 0, working: 0, not_ready: 0, draining: 0 };
    for (const seat of pool.seats()) counts[statusOf(seat)] += 1;
    return Object.entries(counts).map(([status, value]) => ({ labels: { ...labels, status }, value }));
  });
  metrics.gauge("moorage_slots", "Jobs that the connected workers take at once.", ["plugin"], () => {
    let value = 0;
    for (const seat of pool.seats()) value += seat.capacity;
    return [{ labels, value }];
  });
  metrics.gauge(
    "moorage_slots_busy",
    "Slots held by jobs, or waiting for a worker to confirm a cancel.",
    ["plugin"],
    () => [{ labels, value: pool.busyTotal }],
  );
  metrics.gauge("moorage_jobs_in_flight", "Jobs accepted and not yet ended, waiting ones included.", ["plugin"], () => [
    { labels, value: running() },
  ]);
  metrics.gauge("moorage_queue_length", "Jobs waiting for a slot.", ["plugin"], () => [
    { labels, value: pool.queueLength },
  ]);
  metrics.gauge("moorage_queue_capacity", "Jobs that may wait for a slot.", ["plugin"], () => [
    { labels, value: pool.queueCapacity },
  ]);
}
