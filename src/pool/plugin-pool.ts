import type { Config } from "../config.ts";
import type { Deps } from "../deps.ts";
import { Fault } from "../errors.ts";
import type { Metrics } from "../metrics.ts";
import type { ModelCard } from "../plugin.ts";
import { WorkerEndpoint } from "../tunnel/endpoint.ts";
import { createModelGreeting } from "../tunnel/model-greeting.ts";
import type { JobReport } from "./job.ts";
import { Pool } from "./pool.ts";
import { countStatus, type PluginPoolState, statusOf, toWorkerState, type WorkerStatus } from "./pool-state.ts";

/** Tokens or other usage that an answer stated. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Seconds of audio. */
  readonly audioSeconds?: number;
}

/** A job that has ended, for the counts. */
export interface EndedJob {
  readonly requestId: string;
  /** As the client named it. */
  readonly model: string;
  readonly report: JobReport;
  readonly usage: Usage | undefined;
  /** Bytes of the request's body. */
  readonly bytesIn: number;
}

/** Models measured before those long gone are looked for; metrics take 200. */
const MAX_MEASURED = 150;

export interface PluginPoolOptions {
  readonly pluginId: string;
  readonly config: Config;
  readonly deps: Deps;
  readonly metrics: Metrics;
  readonly version: string;
}

/** What a plugin whose workers serve models is built on: its pool, the endpoint they connect to, and the count of its jobs. */
export class PluginPool {
  readonly pool: Pool;
  readonly endpoint: WorkerEndpoint;
  readonly #options: PluginPoolOptions;
  readonly #startedAt: number;
  #running = 0;
  #completed = 0;
  #failed = 0;
  readonly #draining = new AbortController();
  /** Models that have series in the metrics. */
  readonly #measured = new Set<string>();
  #idleWaiters: (() => void)[] = [];

  constructor(options: PluginPoolOptions) {
    const { config, deps } = options;
    this.#options = options;
    this.#startedAt = deps.clock.elapsed();
    this.pool = new Pool({
      clock: deps.clock,
      queueSize: config.queueSize,
      queueTimeoutMs: config.queueTimeoutMs,
      modelGraceMs: config.modelGraceMs,
    });
    this.endpoint = new WorkerEndpoint({
      deps: { ...deps, log: deps.log.with({ plugin: options.pluginId }) },
      greeting: createModelGreeting(config.legacyHoldBytes),
      pool: this.pool,
      registerTimeoutMs: config.registerTimeoutMs,
      windowBytes: config.windowBytes,
      pingIntervalMs: config.pingIntervalMs,
      confirmTimeoutMs: config.confirmTimeoutMs,
    });
    this.#registerGauges();
  }

  get isDraining(): boolean {
    return this.#draining.signal.aborted;
  }

  /** Aborted when the draining begins. */
  get drainSignal(): AbortSignal {
    return this.#draining.signal;
  }

  /** Counts a job in. Every call needs one `ended`. */
  began(): void {
    this.#running += 1;
  }

  /** Counts a job out: totals, metrics, and its one log line. */
  ended({ requestId, model, report, usage, bytesIn }: EndedJob): void {
    this.#running -= 1;
    const outcome = outcomeOf(report);
    if (outcome === "completed") this.#completed += 1;
    else if (outcome === "failed") this.#failed += 1;
    this.#addToSeat(report, outcome, usage);
    this.#measure(report, outcome, usage, bytesIn);
    const { claim, end } = report;
    this.#options.deps.log.info("job.ended", {
      plugin: this.#options.pluginId,
      request: requestId,
      model: model.slice(0, 128),
      worker: claim?.seat.session.worker.id,
      outcome,
      reason: end.kind === "failed" ? end.fault.code : undefined,
      status: report.status,
      attempts: report.attempts,
      queued_ms: Math.round(report.queuedMs),
      first_byte_ms: report.firstByteMs === undefined ? undefined : Math.round(report.firstByteMs),
      duration_ms: Math.round(report.durationMs),
      bytes_out: report.bytesOut,
      input_tokens: usage?.inputTokens,
      output_tokens: usage?.outputTokens,
      audio_s: usage?.audioSeconds,
    });
    if (this.#running === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  models(): readonly ModelCard[] {
    return this.pool.knownModels().map((id) => ({
      id,
      object: "model",
      created: Math.floor((this.pool.firstSeenAt(id) ?? 0) / 1000),
      owned_by: "moorage",
    }));
  }

  /** Grows with every change that `state` would show. */
  get revision(): number {
    return this.pool.revision + this.#completed + this.#failed;
  }

  /** What the State API shows of this plugin: a plain copy. */
  state(): PluginPoolState {
    const { deps, version } = this.#options;
    const workers = [...this.pool.seats()].map(toWorkerState);
    const ready = workers.filter((worker) => worker.status === "idle" || worker.status === "working").length;
    return {
      server: {
        state: this.isDraining ? "draining" : ready > 0 ? "ready" : "not_ready",
        version,
        uptime_s: Math.floor((deps.clock.elapsed() - this.#startedAt) / 1000),
        jobs_inflight_total: this.#running,
        jobs_completed_total: this.#completed,
        jobs_failed_total: this.#failed,
        scheduler_queue_len: this.pool.queueLength,
        scheduler_queue_capacity: this.pool.queueCapacity,
      },
      workers_summary: {
        connected: workers.length,
        idle: countStatus(workers, "idle"),
        working: countStatus(workers, "working"),
        not_ready: countStatus(workers, "not_ready"),
        draining: countStatus(workers, "draining"),
      },
      models: this.pool.knownModels().map((name) => ({ name, workers: this.pool.workersOf(name) })),
      workers,
    };
  }

  /** Takes no more workers, tells those that are here, and resolves when the last job has ended. */
  async drain(): Promise<void> {
    this.#draining.abort();
    this.endpoint.drain("the server is shutting down", DRAIN_RETRY_AFTER_MS);
    // Workers that are told to go take nothing new, so nothing that waits could be served.
    this.pool.refuseWaiting(() => new Fault("draining", { retryAfterS: 5 }));
    while (this.#running > 0) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    await this.pool.idle();
  }

  close(): void {
    this.endpoint.close(1012, "server restart");
  }

  #addToSeat(report: JobReport, outcome: Outcome, usage: Usage | undefined): void {
    const totals = report.claim?.seat.totals;
    if (!totals) return;
    if (outcome === "completed") {
      totals.processed += 1;
      totals.processingMs += report.durationMs - report.queuedMs;
    } else if (outcome === "failed" && !isClientsFault(report)) {
      totals.failures += 1;
      totals.lastError = report.end.kind === "failed" ? report.end.fault.code : `status ${report.status}`;
    }
    totals.inputTokens += usage?.inputTokens ?? 0;
    totals.outputTokens += usage?.outputTokens ?? 0;
    totals.audioSeconds += usage?.audioSeconds ?? 0;
    this.pool.touch();
  }

  #measure(report: JobReport, outcome: Outcome, usage: Usage | undefined, bytesIn: number): void {
    const { metrics, pluginId } = this.#options;
    // The worker's name for the model, never the client's: clients choose names freely, and stand-ins answer to many.
    const measured = metrics.forModel(pluginId, report.claim?.model);
    measured.ended(outcome);
    measured.duration(report.durationMs / 1000);
    if (report.firstByteMs !== undefined) measured.firstByte(report.firstByteMs / 1000);
    if (report.claim) measured.queueWait(report.queuedMs / 1000);
    if (report.attempts > 1) measured.retries(report.attempts - 1, report.retryReason);
    if (report.end.kind === "failed" && !report.claim) metrics.rejection(pluginId, report.end.fault.code);
    if (usage) measured.tokens(usage.inputTokens, usage.outputTokens);
    if (usage?.audioSeconds) measured.audio(usage.audioSeconds);
    measured.bytesIn(bytesIn);
    measured.bytesOut(report.bytesOut);
    if (report.claim) this.#remember(report.claim.model);
  }

  /** Keeps room for models to come: those that are long gone give up their series. */
  #remember(model: string): void {
    this.#measured.add(model);
    if (this.#measured.size <= MAX_MEASURED) return;
    const known = new Set(this.pool.knownModels());
    for (const gone of this.#measured) {
      if (known.has(gone)) continue;
      this.#measured.delete(gone);
      this.#options.metrics.removeModel(this.#options.pluginId, gone);
    }
  }

  #registerGauges(): void {
    const { metrics, pluginId } = this.#options;
    const labels = { plugin: pluginId };
    metrics.gauge("moorage_workers", "Workers connected, by status.", ["plugin", "status"], () => {
      const counts: Record<WorkerStatus, number> = { idle: 0, working: 0, not_ready: 0, draining: 0 };
      for (const seat of this.pool.seats()) counts[statusOf(seat)] += 1;
      return Object.entries(counts).map(([status, value]) => ({ labels: { ...labels, status }, value }));
    });
    metrics.gauge("moorage_slots", "Jobs that the connected workers take at once.", ["plugin"], () => {
      let value = 0;
      for (const seat of this.pool.seats()) value += seat.capacity;
      return [{ labels, value }];
    });
    metrics.gauge(
      "moorage_slots_busy",
      "Slots held by jobs, or waiting for a worker to confirm a cancel.",
      ["plugin"],
      () => [{ labels, value: this.pool.busyTotal }],
    );
    metrics.gauge(
      "moorage_jobs_in_flight",
      "Jobs accepted and not yet ended, waiting ones included.",
      ["plugin"],
      () => [{ labels, value: this.#running }],
    );
    metrics.gauge("moorage_queue_length", "Jobs waiting for a slot.", ["plugin"], () => [
      { labels, value: this.pool.queueLength },
    ]);
  }
}

/** When a drained worker should come back: a restart takes a few seconds. */
const DRAIN_RETRY_AFTER_MS = 5000;

/** Found only while a worker had it already: a form that lacks its file, for one. */
function isClientsFault({ end }: JobReport): boolean {
  return end.kind === "failed" && end.fault.status < 500;
}

type Outcome = "completed" | "failed" | "canceled";

/** A backend's own 5xx is a failure of that worker although its answer passed through whole. */
function outcomeOf(report: JobReport): Outcome {
  if (report.end.kind === "failed") return "failed";
  if (report.end.kind === "canceled") return "canceled";
  return (report.status ?? 200) >= 500 ? "failed" : "completed";
}
