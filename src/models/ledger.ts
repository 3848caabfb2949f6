import type { JobOutcome, Metrics } from "../figures/metrics.ts";
import { WINDOW_MS } from "../figures/sliding-sum.ts";
import { SPEED_UNIT, toTotals, type Usage } from "../figures/units.ts";
import type { Claim } from "../pool/claim.ts";
import type { FailedAttempt, JobReport } from "../pool/job-spec.ts";
import type { RegisteredJob } from "../pool/jobs-registry.ts";
import type { Work } from "../pool/seat.ts";
import type { Clock } from "../system/deps.ts";
import { isDoctorModel } from "../wire/names.ts";
import type { AreaPasts } from "./area-pasts.ts";
import type { EndedJob } from "./ended-job.ts";
import { LiveOutput } from "./live-output.ts";
import { ModelFigures, type Prompt } from "./model-figures.ts";
import type { WorkerSeries } from "./worker-series.ts";

/** The number of models with series. Past it, models that are gone lose theirs. The metrics have room for 200. */
const MAX_MEASURED = 150;

export interface LedgerOptions {
  readonly pluginId: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly knownModels: () => readonly string[];
  /** Counts the jobs of each worker for the metrics; undefined if they have no such series. */
  readonly workers?: WorkerSeries | undefined;
  /** Remembers what has happened lately; undefined if nobody does. */
  readonly pasts?: AreaPasts | undefined;
}

/** Counts since the server started. They only grow. */
export interface Counts {
  /** All ended jobs, canceled ones included. */
  readonly ended: number;
  readonly completed: number;
  readonly failed: number;
  /** Failures that were not the client's fault. */
  readonly broken: number;
  /** Output of all answers, in the unit of speed. */
  readonly output: number;
  /** Prompt tokens of the answers that state how many of them came from a cache, and those that did. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly bytesOut: number;
}

/** Counts the ended jobs of a plugin: for itself, its workers, its models and the metrics. */
export class Ledger {
  readonly models: ModelFigures;
  readonly #options: LedgerOptions;
  /** The models that have series in the metrics. */
  readonly #measured = new Set<string>();
  readonly #counts = {
    ended: 0,
    completed: 0,
    failed: 0,
    broken: 0,
    output: 0,
    promptTokens: 0,
    cachedTokens: 0,
    bytesOut: 0,
  };

  readonly #live = new LiveOutput();
  #outputSoFar = 0;

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.models = new ModelFigures(options.knownModels);
  }

  get counts(): Counts {
    return this.#counts;
  }

  /**
   * Output so far, in the unit of speed, that of running streams included. It only grows: where a stream turns out to have
   * had less than was told from its bytes, it stands still until that is made up for.
   */
  get outputSoFar(): number {
    this.#outputSoFar = Math.max(this.#outputSoFar, Math.round(this.#counts.output + this.#live.total));
    return this.#outputSoFar;
  }

  /** Whether a part of it is told from the bytes of streams that run. */
  get isOutputEstimated(): boolean {
    return this.#live.total > 0;
  }

  /** Looks at the streams that run, and adds what they have made to the rates. Returns whether they have made anything. */
  look(jobs: Iterable<RegisteredJob>): boolean {
    const now = this.#options.clock.elapsed();
    let isMoving = false;
    this.#live.look(jobs, (claim, output) => {
      isMoving = true;
      this.models.progress(claim.model, output, now);
      this.#options.pasts?.progress(claim, output);
      claim.progress(output);
    });
    return isMoving;
  }

  /** Counts an ended job everywhere, and returns its outcome. */
  count(ended: EndedJob): JobOutcome {
    const { report, usage, isEstimated, outputForm, bytesIn, parts } = ended;
    const outcome = outcomeOf(report);
    const output = usage?.[SPEED_UNIT] ?? 0;
    const counts = this.#counts;
    counts.ended += 1;
    if (outcome === "completed") counts.completed += 1;
    else if (outcome === "failed") counts.failed += 1;
    if (failureOf(report, outcome) !== undefined) counts.broken += 1;
    counts.output += output;
    counts.bytesOut += report.bytesOut;
    const prompt = toPrompt(usage);
    if (prompt) {
      counts.promptTokens += prompt.tokens;
      counts.cachedTokens += prompt.cached;
    }
    const uncounted = uncountedOf(output, this.#live.end(report.claim), report);
    if (report.claim) {
      const { model } = report.claim;
      if (outputForm && !isEstimated) this.#live.learn(model, outputForm, report.bytesOut, output);
      this.models.count(model, { output: uncounted, prompt }, this.#options.clock.elapsed());
    }
    if (parts === undefined) this.#countForWorker(report, usage, isEstimated === true, uncounted);
    this.#options.pasts?.ended(ended, { outcome, error: failureOf(report, outcome), uncounted });
    this.#measure(report, outcome, toTotals(usage, isEstimated === true), bytesIn);
    return outcome;
  }

  /** Counts a job for its worker alone. The request that it served, with others, is counted by `count`. */
  countPart(report: JobReport, usage: Usage | undefined): void {
    this.#countForWorker(report, usage, false, usage?.[SPEED_UNIT] ?? 0);
    this.#options.pasts?.partEnded(report, failureOf(report, outcomeOf(report)));
  }

  /** Counts a job of a peer for its worker. Its request is counted where its client is. */
  countForPeer(claim: Claim, work: Work): void {
    const { outcome, error, runningMs, output } = work;
    this.#options.pasts?.workedForPeer(claim, work);
    const workersOutcome = outcome === "failed" && error === undefined ? "completed" : outcome;
    this.#options.workers?.count(claim, { outcome: workersOutcome, runningMs, output });
  }

  #countForWorker(report: JobReport, usage: Usage | undefined, isEstimated: boolean, uncounted: number): void {
    for (const failed of report.failedAttempts) this.#countFailed(failed);
    const { claim, lastAttempt } = report;
    // A job that ends while it waits for another worker has no attempt that is not counted yet.
    if (!claim || !lastAttempt || report.failedAttempts.at(-1)?.claim === claim) return;
    const outcome = outcomeOf(report);
    const error = failureOf(report, outcome);
    const { runningMs, firstByteMs } = lastAttempt;
    const output = usage?.[SPEED_UNIT] ?? 0;
    const input = isEstimated ? undefined : inputOf(usage);
    const totals = toTotals(usage, isEstimated);
    claim.count({ outcome, error, runningMs, firstByteMs, usage: totals, isEstimated, input, output, uncounted });
    // A worker has done its work if the failure was the client's.
    const workersOutcome = outcome === "failed" && error === undefined ? "completed" : outcome;
    this.#seriesOf(claim)?.count(claim, { outcome: workersOutcome, runningMs, output });
  }

  /** Counts an attempt that a worker failed, although another one went on with the job. */
  #countFailed({ claim, reason, runningMs }: FailedAttempt): void {
    const outcome = "failed";
    claim.count({ outcome, error: reason, runningMs, usage: undefined, output: 0 });
    this.#seriesOf(claim)?.count(claim, { outcome, runningMs, output: 0 });
  }

  /** Returns the series for a claim's worker: the server that a worker is connected to counts its work. */
  #seriesOf({ worker }: Claim): WorkerSeries | undefined {
    return worker.server === undefined ? this.#options.workers : undefined;
  }

  #measure(report: JobReport, outcome: JobOutcome, usage: Usage | undefined, bytesIn: number): void {
    const { metrics, pluginId } = this.#options;
    // This is the worker's name of the model, never the client's: clients choose names freely, and many fit one stand-in.
    const model = report.claim && !isDoctorModel(report.claim.model) ? report.claim.model : undefined;
    const measured = metrics.forModel(pluginId, model);
    measured.ended(outcome);
    measured.duration(report.durationMs / 1000);
    // Refusals are quick, so a pool that fails would look fast.
    if (report.firstByteMs !== undefined && outcome !== "failed") measured.firstByte(report.firstByteMs / 1000);
    if (report.claim) measured.queueWait(report.queuedMs / 1000);
    if (report.attempts > 1) measured.retries(report.attempts - 1, report.retryReason);
    if (report.end.kind === "failed" && !report.claim) metrics.rejection(pluginId, report.end.fault.code);
    if (usage) measured.used(usage);
    measured.bytesIn(bytesIn);
    measured.bytesOut(report.bytesOut);
    if (model !== undefined) this.#remember(model);
  }

  /** Makes room for new models by removing the series of models that are no longer known. */
  #remember(model: string): void {
    this.#measured.add(model);
    if (this.#measured.size <= MAX_MEASURED) return;
    const known = new Set(this.#options.knownModels());
    for (const gone of this.#measured) {
      if (known.has(gone)) continue;
      this.#measured.delete(gone);
      this.#options.metrics.removeModel(this.#options.pluginId, gone);
    }
  }
}

/** The input that the worker had to process: the tokens that no cache had, or the audio. */
function inputOf(usage: Usage | undefined): number | undefined {
  if (usage?.input_tokens === undefined) return usage?.audio_seconds;
  return usage.input_tokens - (usage.cached_tokens ?? 0);
}

/**
 * Returns what the rates lack of a job's output, of which `counted` was added while it ran. An error is spread over the time
 * of the job, so only the part within the window of the rates is corrected.
 */
function uncountedOf(output: number, counted: number, { durationMs, queuedMs }: JobReport): number {
  if (counted === 0) return output;
  return (output - counted) * Math.min(1, WINDOW_MS / Math.max(1, durationMs - queuedMs));
}

/** Returns whether the client caused the failure although a worker had the job, for example by a form without its file. */
function isClientsFault({ end }: JobReport): boolean {
  return end.kind === "failed" && end.fault.status < 500;
}

/** Returns the prompt of an answer that states how much of it came from a cache; undefined for any other. */
function toPrompt(usage: Usage | undefined): Prompt | undefined {
  if (usage?.cached_tokens === undefined || !usage.input_tokens) return undefined;
  return { tokens: usage.input_tokens, cached: usage.cached_tokens };
}

/** Returns the reason of a failure that was not the client's fault; undefined for any other end. */
function failureOf(report: JobReport, outcome: JobOutcome): string | undefined {
  return outcome === "failed" && !isClientsFault(report) ? errorOf(report) : undefined;
}

function errorOf({ end, status }: JobReport): string {
  return end.kind === "failed" ? end.fault.code : `status ${status}`;
}

/** A backend's own 5xx counts as a failure of the worker, although its answer was passed on whole. */
function outcomeOf(report: JobReport): JobOutcome {
  if (report.end.kind === "failed") return report.end.fault.code === "canceled_by_operator" ? "canceled" : "failed";
  if (report.end.kind === "canceled") return "canceled";
  return (report.status ?? 200) >= 500 ? "failed" : "completed";
}
