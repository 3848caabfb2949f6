import type { JobOutcome } from "../figures/metrics.ts";
import { POINT_MS, Timeline } from "../figures/timeline.ts";
import type { ErrorEntry } from "../plugin/details.ts";
import { type CauseCounts, causeOf, type FailureCause, NO_CAUSES } from "../plugin/failure-cause.ts";
import type { Claim } from "../pool/claim.ts";
import { NONE_EXCLUDED } from "../pool/excluded.ts";
import type { JobReport } from "../pool/job-spec.ts";
import type { Pool } from "../pool/pool.ts";
import type { Work } from "../pool/seat.ts";
import type { Clock } from "../system/deps.ts";
import type { Session } from "../tunnel/session.ts";
import type { SessionPool } from "../tunnel/session-source.ts";
import { isDoctorModel } from "../wire/names.ts";
import type { EndedJob } from "./ended-job.ts";
import { type ModelGauges, ModelPasts } from "./model-pasts.ts";
import { momentOf } from "./moment.ts";
import { WorkerPasts } from "./worker-pasts.ts";
import { toWorkerState } from "./worker-state.ts";

export interface AreaPastsOptions {
  readonly clock: Clock;
  readonly pool: () => Pool;
  /** Takes keys out of what a worker wrote. */
  readonly mask: (text: string) => string;
}

/** How a job ended, for the pasts. */
export interface EndFacts {
  readonly outcome: JobOutcome;
  /** The reason of its failure; undefined for one that did not fail, or failed by its client's mistake. */
  readonly error: string | undefined;
  /** What the rates lack of its output, below 0 if they contain too much. */
  readonly uncounted: number;
}

/** What an area remembers of its workers and models, beside the sums that it counts for ever. */
export class AreaPasts {
  readonly workers: WorkerPasts;
  readonly models: ModelPasts;
  readonly #options: AreaPastsOptions;
  readonly #timeline = new Timeline();
  readonly #causes: Record<FailureCause, number> = { ...NO_CAUSES };
  /** The interval that the last look was in, counted from 1970; undefined before the first look. */
  #interval: number | undefined;
  #lookedAt = 0;

  constructor(options: AreaPastsOptions) {
    const { clock, mask } = options;
    this.#options = options;
    this.workers = new WorkerPasts({ clock, mask, timeline: this.#timeline });
    this.models = new ModelPasts(this.#timeline, (model) => options.pool().models.known().includes(model));
  }

  /** Requests that failed, by cause, without those that failed by their client's mistake. */
  get causes(): CauseCounts {
    return this.#causes;
  }

  /** Returns a receiver of sessions that notes their beginning and end, and passes everything on to the pool. */
  watch(pool: Pool): SessionPool {
    return {
      onOpened: (session) => {
        this.workers.opened(session);
        pool.onOpened(session);
      },
      onOfferChange: (session) => pool.onOfferChange(session),
      onClosed: (session, reason) => {
        // Before its seat is removed.
        this.#closing(session, reason);
        pool.onClosed(session);
      },
    };
  }

  #closing(session: Session, reason: string): void {
    const seat = this.#options.pool().seatOf(session.worker.id);
    const state = seat?.session === session ? toWorkerState(seat, momentOf(this.#options.clock)) : undefined;
    this.workers.closed(session, reason, state);
  }

  /** Adds output of a running job. */
  progress({ model }: Claim, output: number): void {
    this.models.progress(model, output);
  }

  /** Notes a request that has ended. */
  ended({ requestId, model, report, usage, parts }: EndedJob, { error, uncounted }: EndFacts): void {
    if (error !== undefined) this.#causes[causeOf(error)] += 1;
    const served = this.#servedModel(model, report);
    if (served !== undefined) {
      const { firstByteMs } = report;
      const cause = error === undefined ? undefined : causeOf(error);
      this.models.progress(served, uncounted);
      this.models.ended(served, { cause, firstByteMs, usage }, this.#options.clock.elapsed());
    }
    // The parts of a request have been noted one by one.
    if (parts === undefined) this.#noteFailures(report, requestId, served, error);
    else if (error !== undefined && parts === 0)
      this.#failModel(served, this.#entry(report, requestId, error, undefined));
  }

  /** Notes one of several jobs that serve a request together. */
  partEnded(report: JobReport, error: string | undefined): void {
    this.#noteFailures(report, report.requestId ?? null, report.claim?.model, error);
  }

  /** Notes the work of a worker of this server for a job of another one. */
  workedForPeer({ worker, model }: Claim, { error }: Work): void {
    if (error === undefined) return;
    this.workers.failed(worker.id, {
      at: this.#now(),
      request_id: null,
      job_id: null,
      kind: null,
      model,
      worker: { id: worker.id, name: worker.name },
      caller: null,
      reason: error,
      cause: causeOf(error),
      retried: false,
    });
  }

  /** Adds a point to the histories, if the last one is old enough. MUST be called once a second. */
  look(): void {
    const { clock } = this.#options;
    const interval = Math.floor(clock.now() / POINT_MS);
    if (interval === this.#interval) return;
    const ms = clock.elapsed() - this.#lookedAt;
    const isFirst = this.#interval === undefined;
    this.#interval = interval;
    this.#lookedAt = clock.elapsed();
    if (isFirst) return;
    const pool = this.#options.pool();
    this.#timeline.next(interval * POINT_MS);
    this.workers.tick(pool.seats(), ms);
    this.models.tick(gaugesOf(pool), ms);
  }

  /** Notes the attempts of a job that failed, for their workers and for the model. */
  #noteFailures(
    report: JobReport,
    requestId: string | null,
    model: string | undefined,
    error: string | undefined,
  ): void {
    for (const { claim, reason } of report.failedAttempts)
      this.#fail(this.#entry(report, requestId, reason, claim, error === undefined), claim, claim.model);
    if (error === undefined) return;
    const { claim } = report;
    // A job that ended while it waited for another worker was failed by none that is not noted yet.
    const last = claim && report.failedAttempts.at(-1)?.claim !== claim && report.lastAttempt ? claim : undefined;
    this.#fail(this.#entry(report, requestId, error, last), last, model);
  }

  #fail(error: ErrorEntry, claim: Claim | undefined, model: string | undefined): void {
    // A worker's own server notes what it fails.
    if (claim && claim.worker.server === undefined) this.workers.failed(claim.worker.id, error);
    this.#failModel(model, error);
  }

  #failModel(model: string | undefined, error: ErrorEntry): void {
    if (model !== undefined && !isDoctorModel(model)) this.models.failed(model, error);
  }

  #entry(
    report: JobReport,
    requestId: string | null,
    reason: string,
    claim: Claim | undefined,
    retried = false,
  ): ErrorEntry {
    return {
      at: this.#now(),
      request_id: requestId,
      job_id: report.jobId || null,
      kind: report.kind ?? null,
      model: claim?.model ?? report.claim?.model ?? "",
      worker: claim ? workerName(claim) : null,
      caller: report.caller.name,
      reason,
      cause: causeOf(reason),
      retried,
    };
  }

  /** Returns the model that a request counts for; undefined for a name that no worker offers, and for the doctor's. */
  #servedModel(model: string, { claim }: JobReport): string | undefined {
    const demand = { model, exact: false, excluded: NONE_EXCLUDED };
    const served = claim?.model ?? this.#options.pool().models.resolve(demand);
    return served === undefined || isDoctorModel(served) ? undefined : served;
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}

function workerName({ worker: { id, name, server } }: Claim): ErrorEntry["worker"] {
  return id === "" ? null : { id, name, ...(server !== undefined && { server }) };
}

/** Looks at each worker and job once. */
function gaugesOf(pool: Pool): Iterable<readonly [string, ModelGauges]> {
  const gauges = new Map<string, { -readonly [name in keyof ModelGauges]: number }>();
  for (const model of pool.models.known())
    if (!isDoctorModel(model)) gauges.set(model, { workers: 0, slots: 0, inflight: 0, waiting: 0 });
  for (const seat of pool.seats()) {
    for (const model of seat.byModel.keys()) {
      const gauge = gauges.get(model);
      if (!gauge) continue;
      gauge.workers += 1;
      gauge.slots += seat.capacity;
    }
  }
  for (const { model, isWaiting } of pool.jobs.all()) {
    const gauge = gauges.get(model);
    if (gauge) gauge[isWaiting ? "waiting" : "inflight"] += 1;
  }
  return gauges;
}
