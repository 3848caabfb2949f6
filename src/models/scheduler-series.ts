import type { CallerClass } from "../auth/caller.ts";
import type { Metrics } from "../figures/metrics.ts";
import type { JobReport } from "../pool/job-spec.ts";
import type { Pool } from "../pool/pool.ts";
import type { HealthEvent } from "../pool/routing/health-watch.ts";
import type { RouteReason } from "../pool/routing/route.ts";
import { CLASSES } from "../pool/urgency.ts";
import { isOut } from "./serving-state.ts";

/**
 * The metrics of one plugin's scheduler: waits by class, and the reasons for choosing workers. No series belongs to a single
 * caller, because anybody may read the metrics.
 */
export class SchedulerSeries {
  readonly #plugin: string;
  readonly #metrics: Metrics;
  readonly #routes = new Map<RouteReason, number>();
  readonly #dispatches = { loaded: 0, cold: 0 };
  #ejections = 0;
  readonly #waits = new Map<CallerClass, (seconds: number) => void>();

  constructor(plugin: string, metrics: Metrics) {
    this.#plugin = plugin;
    this.#metrics = metrics;
  }

  /** Counts an ended job. */
  count({ claim, route, class: jobClass, queuedMs }: JobReport): void {
    if (!claim) return;
    const { reason } = route ?? claim.route;
    this.#dispatches[claim.isLoaded ? "loaded" : "cold"] += 1;
    this.#routes.set(reason, (this.#routes.get(reason) ?? 0) + 1);
    this.#waitOf(jobClass)(queuedMs / 1000);
  }

  /** Counts a worker that goes out because it failed too often. */
  health({ change }: HealthEvent): void {
    if (change === "ejected") this.#ejections += 1;
  }

  /** Registers the series, with those that the pool itself counts. */
  register(pool: Pool): void {
    const plugin = this.#plugin;
    const metrics = this.#metrics;
    metrics.gauge("moorage_queue_waiting", "Jobs waiting for a slot, by class.", ["plugin", "class"], () => {
      const waiting = pool.queue.waitingByClass();
      return CLASSES.map((each) => ({ labels: { plugin, class: each }, value: waiting[each] }));
    });
    metrics.total(
      "moorage_queue_pushouts_total",
      "Waiting jobs that were refused to make room for jobs of other callers, by the class of the refused.",
      ["plugin", "class"],
      () => CLASSES.map((each) => ({ labels: { plugin, class: each }, value: pool.queue.pushedOut[each] })),
    );
    metrics.gauge(
      "moorage_queue_flows",
      "Callers, with their classes and end users, that have jobs or had some in the last minute.",
      ["plugin"],
      () => [{ labels: { plugin }, value: pool.flowCount }],
    );
    metrics.total(
      "moorage_routes_total",
      "Jobs that reached a worker, by the reason for their last worker.",
      ["plugin", "reason"],
      () => Array.from(this.#routes, ([reason, value]) => ({ labels: { plugin, reason }, value })),
    );
    metrics.total(
      "moorage_dispatches_total",
      "Jobs that reached a worker, by whether their last worker had the model in memory as far as it tells.",
      ["plugin", "memory"],
      () => Object.entries(this.#dispatches).map(([memory, value]) => ({ labels: { plugin, memory }, value })),
    );
    metrics.total(
      "moorage_ejections_total",
      "Times that a worker was kept from jobs because it failed too often.",
      ["plugin"],
      () => [{ labels: { plugin }, value: this.#ejections }],
    );
    metrics.gauge(
      "moorage_workers_out",
      "Workers that get no jobs of some or all models because they failed too often.",
      ["plugin"],
      () => [{ labels: { plugin }, value: Array.from(pool.seats()).filter(isOut).length }],
    );
  }

  #waitOf(jobClass: CallerClass): (seconds: number) => void {
    const known = this.#waits.get(jobClass);
    if (known) return known;
    const observe = this.#metrics.classWait(this.#plugin, jobClass);
    this.#waits.set(jobClass, observe);
    return observe;
  }
}
