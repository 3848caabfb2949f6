import { totalmem } from "node:os";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { AuthSurface, CallerClass } from "../auth/caller.ts";
import { BucketHistogram } from "./bucket-histogram.ts";
import { CellCounter } from "./cell-counter.ts";
import { EventLoopLag, LAG_METRICS } from "./event-loop-lag.ts";
import { ReadCounter, type Reading } from "./read-counter.ts";
import type { RecentTimes } from "./recent-times.ts";
import type { Usage } from "./units.ts";
import { createUsageCounters } from "./usage-counters.ts";

/** Seconds, from an embedding of one word to half an hour of audio. A job beyond the last bound deserves a look. */
const JOB_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

/** Upper bounds in seconds for the time between two chunks. A fast model writes every few milliseconds; a minute is near the timeout. */
const GAP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** How many models have their own series. A scrape blocks for 26 µs per histogram, and 200 models have 600 histograms. */
const MAX_MODELS = 200;

/** The label of all models without their own series. */
const OTHER = "other";

/** Metrics of prom-client's standard set that are wrong or empty on Bun 1.4.5. */
const UNRELIABLE_ON_BUN = [
  "nodejs_gc_duration_seconds",
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_requests",
  "nodejs_active_requests_total",
  "nodejs_active_resources",
  "nodejs_active_resources_total",
  "nodejs_heap_space_size_total_bytes",
  "nodejs_heap_space_size_used_bytes",
  "nodejs_heap_space_size_available_bytes",
  "nodejs_version_info",
  "process_heap_bytes",
  "process_virtual_memory_bytes",
];

export type JobOutcome = "completed" | "failed" | "canceled";

/** The counts of one model's jobs, with times in seconds. Calls are cheap, because the series are looked up once. */
export interface ModelMetrics {
  ended(outcome: JobOutcome): void;
  /** Time from a job's acceptance to its end. */
  duration(seconds: number): void;
  /** Time from a job's acceptance to its answer's first byte. */
  firstByte(seconds: number): void;
  /** Time from a job's acceptance to its dispatch. */
  queueWait(seconds: number): void;
  /** Adds the usage that an answer stated. Amounts that are not above 0 are ignored. */
  used(usage: Usage): void;
  /** Counts dispatches after the first one. `reason` is one of our own few words, never a worker's text. */
  retries(count: number, reason?: string): void;
  /** Adds bytes of requests. */
  bytesIn(bytes: number): void;
  /** Bytes of answers. */
  bytesOut(bytes: number): void;
}

/** Totals of a plugin's jobs since the server started. */
export interface PluginTotals {
  readonly ended: number;
  readonly failed: number;
  /** Bytes of answers. */
  readonly bytesOut: number;
}

/** The server's counts. The values of every label are bounded: a model is a label only if the caller has seen a worker serve it. */
export interface Metrics {
  /**
   * Returns the counts of one model. `model` MUST be a name that a worker has registered, or undefined for jobs that met no
   * model. Models beyond 200 count as `other`.
   */
  forModel(plugin: string, model: string | undefined): ModelMetrics;
  /** Drops the series of a model that left long ago, and makes room for another. */
  removeModel(plugin: string, model: string): void;
  /** Returns the observer of the seconds between two chunks of a stream. Resolve it once per job, not per chunk. */
  chunkGap(plugin: string): (seconds: number) => void;
  /** Returns the observer of the seconds that jobs of one class wait. Resolve it once, not per job. */
  classWait(plugin: string, jobClass: CallerClass): (seconds: number) => void;
  /** The counts of all models of a plugin together. */
  totals(plugin: string): PluginTotals;
  /** Counts a job that was refused before a worker had it. `reason` is the fault's code. */
  rejection(plugin: string, reason: string): void;
  authFailure(surface: AuthSurface): void;
  /** Creates a counter of one owner. The returned function adds `by`, which defaults to 1 and MUST NOT be negative. */
  counter(
    name: string,
    help: string,
    labelNames: readonly string[],
  ): (labels: Readonly<Record<string, string>>, by?: number) => void;
  /** Creates a gauge whose owner is asked at each scrape. Several owners may share a name, with the same labels. */
  gauge(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Reading>): void;
  /** Creates a counter whose owner keeps the counts and is asked at each scrape. Several owners may share a name. */
  total(name: string, help: string, labelNames: readonly string[], read: () => Iterable<Reading>): void;
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
}

const LAG_PREFIX = "nodejs_eventloop_lag";
/** The longest time of a timer. The library's own monitor of the event loop cannot be left out, only made to sleep. */
const NEVER_MS = 2 ** 31 - 1;

/**
 * Creates metrics in their own registry, together with those of the process and the event loop. Times to the first byte are
 * also passed to `firstBytes`, for all plugins and models. `lag` is measured by its owner.
 */
export function createMetrics(version: string, firstBytes?: RecentTimes, lag = new EventLoopLag()): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
  for (const { name } of registry.getMetricsAsArray())
    if (UNRELIABLE_ON_BUN.includes(name) || name.startsWith(LAG_PREFIX)) registry.removeSingleMetric(name);
  const registers = [registry];
  for (const [name, help, of] of LAG_METRICS)
    new Gauge({
      name: `${LAG_PREFIX}_${name}_seconds`,
      help: `${help} lag of the event loop in the last minute.`,
      registers,
      collect() {
        this.set(of(lag.sorted()) / 1000);
      },
    });
  const counter = (name: string, help: string, labelNames: readonly string[]): CellCounter =>
    new CellCounter({ name, help, labelNames, registry });
  const histogram = (name: string, help: string, labelNames: string[], buckets: number[]): BucketHistogram =>
    new BucketHistogram({ name, help, labelNames, buckets, registry });

  new Gauge({
    name: "moorage_build_info",
    help: "Always 1; the labels hold the versions.",
    labelNames: ["version", "bun"],
    registers,
  })
    .labels({ version, bun: Bun.version })
    .set(1);
  const memoryHelp = "Bytes of memory that the process may use: its container's limit, or the machine's.";
  new Gauge({ name: "moorage_memory_limit_bytes", help: memoryHelp, registers }).set(memoryLimitBytes());
  const jobs = counter("moorage_jobs_total", "Jobs ended, by outcome.", ["plugin", "model", "outcome"]);
  const usage = createUsageCounters(counter);
  const duration = histogram(
    "moorage_job_duration_seconds",
    "Time from a job's acceptance to its end.",
    ["plugin", "model"],
    JOB_BUCKETS,
  );
  const firstByte = histogram(
    "moorage_first_byte_seconds",
    "Time from a job's acceptance to its answer's first byte, for jobs that did not fail.",
    ["plugin", "model"],
    JOB_BUCKETS,
  );
  const queueWait = histogram(
    "moorage_queue_wait_seconds",
    "Time from a job's acceptance to its dispatch.",
    ["plugin", "model"],
    JOB_BUCKETS,
  );
  const classWait = histogram(
    "moorage_class_wait_seconds",
    "Time from a job's acceptance to its dispatch, by the job's class.",
    ["plugin", "class"],
    JOB_BUCKETS,
  );
  const gap = histogram("moorage_chunk_gap_seconds", "Time between two chunks of a stream.", ["plugin"], GAP_BUCKETS);
  const retries = counter("moorage_retries_total", "Jobs sent to another worker.", ["plugin", "reason"]);
  const rejections = counter("moorage_rejections_total", "Jobs refused before a worker had them.", [
    "plugin",
    "reason",
  ]);
  const bytes = counter("moorage_bytes_total", "Bytes of requests (in) and answers (out).", ["plugin", "direction"]);
  const authFailures = counter("moorage_auth_failures_total", "Requests refused because of their credentials.", [
    "surface",
  ]);

  const byPlugin = new Map<string, { ended: number; failed: number; bytesOut: number }>();
  const totalsOf = (plugin: string): { ended: number; failed: number; bytesOut: number } => {
    const totals = byPlugin.get(plugin) ?? { ended: 0, failed: 0, bytesOut: 0 };
    byPlugin.set(plugin, totals);
    return totals;
  };
  const byModel = new Map<string, ModelMetrics>();
  const createModel = (plugin: string, model: string): ModelMetrics => {
    const labels = { plugin, model };
    const ended = {
      completed: jobs.cell({ ...labels, outcome: "completed" }),
      failed: jobs.cell({ ...labels, outcome: "failed" }),
      canceled: jobs.cell({ ...labels, outcome: "canceled" }),
    };
    const used = usage.cells(labels);
    const outbound = bytes.cell({ plugin, direction: "out" });
    const observeFirstByte = firstByte.observer(labels);
    const totals = totalsOf(plugin);
    return {
      ended(outcome) {
        ended[outcome](1);
        totals.ended += 1;
        if (outcome === "failed") totals.failed += 1;
      },
      duration: duration.observer(labels),
      firstByte(seconds) {
        observeFirstByte(seconds);
        firstBytes?.observe(seconds * 1000);
      },
      queueWait: queueWait.observer(labels),
      used(stated) {
        for (const { unit, add } of used) {
          const amount = stated[unit];
          // Backends choose these numbers, and a counter must not decrease.
          if (amount !== undefined && amount > 0) add(amount);
        }
      },
      retries: (count, reason = "worker_failed") => retries.add({ plugin, reason }, count),
      bytesIn: bytes.cell({ plugin, direction: "in" }),
      bytesOut(count) {
        outbound(count);
        totals.bytesOut += count;
      },
    };
  };
  // Called for every job, mostly with the same values as before.
  let latest: { readonly plugin: string; readonly model: string; readonly metrics: ModelMetrics } | undefined;
  const forModel = (plugin: string, model: string): ModelMetrics => {
    if (latest?.model === model && latest.plugin === plugin) return latest.metrics;
    const metrics = findModel(plugin, model);
    latest = { plugin, model, metrics };
    return metrics;
  };
  const findModel = (plugin: string, model: string): ModelMetrics => {
    const key = `${plugin} ${model}`;
    const known = byModel.get(key);
    if (known) return known;
    if (model !== OTHER && byModel.size >= MAX_MODELS) return findModel(plugin, OTHER);
    const created = createModel(plugin, model);
    byModel.set(key, created);
    return created;
  };

  const totals = new Map<string, ReadCounter>();
  const gauges = new Map<string, { readonly readers: (() => Iterable<Reading>)[] }>();
  return {
    forModel: (plugin, model = OTHER) => forModel(plugin, model),
    removeModel(plugin, model) {
      latest = undefined;
      if (model === OTHER || !byModel.delete(`${plugin} ${model}`)) return;
      for (const outcome of ["completed", "failed", "canceled"]) jobs.drop({ plugin, model, outcome });
      usage.drop({ plugin, model });
      for (const each of [duration, firstByte, queueWait]) each.drop({ plugin, model });
    },
    totals: (plugin) => ({ ...totalsOf(plugin) }),
    classWait: (plugin, jobClass) => classWait.observer({ plugin, class: jobClass }),
    chunkGap: (plugin) => gap.observer({ plugin }),
    rejection: (plugin, reason) => rejections.add({ plugin, reason }, 1),
    authFailure: (surface) => authFailures.add({ surface }, 1),
    counter(name, help, labelNames) {
      const owned = counter(name, help, labelNames);
      return (labels, by = 1) => owned.add({ ...labels }, by);
    },
    gauge(name, help, labelNames, read) {
      const known = gauges.get(name);
      if (known) {
        known.readers.push(read);
        return;
      }
      const readers = [read];
      gauges.set(name, { readers });
      new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers,
        collect() {
          // A series that its owner no longer reports must not keep its last value.
          this.reset();
          for (const each of readers) for (const { labels, value } of each()) this.set({ ...labels }, value);
        },
      });
    },
    total(name, help, labelNames, read) {
      const known = totals.get(name) ?? new ReadCounter({ name, help, labelNames, registry });
      totals.set(name, known);
      known.add(read);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** The most memory that this process may use, in bytes: its container's limit, or else the machine's memory. */
function memoryLimitBytes(): number {
  // Bun reads the control group's limit on Linux and returns undefined elsewhere; some kernels report 0, or more than
  // exists.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}
