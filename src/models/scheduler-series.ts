import type { CallerClass } from "../auth/caller.ts";
import type { Metrics } from "../figures/metrics.ts";
import type { JobReport } from "../pool/job-spec.ts";
import type { Pool } from "../pool/pool.ts";
import type { RouteReason } from "../pool/routing/route.ts";

const CLASSES = ["interactive", "normal", "background"] as const satisfies readonly CallerClass[];

/**
 * The scheduler's work for a plugin, for metrics: waits by class, and the reasons for workers. No series
 * belongs to a single caller, because anybody may read them.
 */
export class SchedulerSeries {
  readonly #plugin: string;
  readonly #metrics: Metrics;
  readonly #routes = new Map<RouteReason, number>();
  readonly #waits = new Map<CallerClass, (seconds: number) => void>();

  constructor(plugin: string, metrics: Metrics) {
    this.#plugin = plugin;
    this.#metrics = metrics;
  }

  /** Counts an ended job. */
  count({ claim, class: jobClass, queuedMs }: JobReport): void {
    if (!claim) return;
    const { reason } = claim.route;
    this.#routes.set(reason, (this.#routes.get(reason) ?? 0) + 1);
    this.#waitOf(jobClass)(queuedMs / 1000);
  }

  /** Registers the series, with those that the pool itself counts. */
  register(pool: Pool): void {
    const plugin = this.#plugin;
    const metrics = this.#metrics;
    metrics.gauge("moorage_queue_waiting", "Jobs waiting for a slot, by class.", ["plugin", "class"], () => {
      const waiting = pool.waitingByClass();
      return CLASSES.map((each) => ({ labels: { plugin, class: each }, value: waiting[each] }));
    });
    metrics.total(
      "moorage_queue_pushouts_total",
      "Waiting jobs that were refused to make room for jobs of other callers, by the class of the refused.",
      ["plugin", "class"],
      () => CLASSES.map((each) => ({ labels: { plugin, class: each }, value: pool.pushedOut[each] })),
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
  }

  #waitOf(jobClass: CallerClass): (seconds: number) => void {
    const known = this.#waits.get(jobClass);
    if (known) return known;
    const observe = this.#metrics.classWait(this.#plugin, jobClass);
    this.#waits.set(jobClass, observe);
    return observe;
  }
}
