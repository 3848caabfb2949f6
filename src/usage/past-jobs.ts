import type { CancelTimer, Clock } from "../system/deps.ts";
import { Ring } from "../system/ring.ts";
import type { PastJob } from "./past-job.ts";

/** The most ended requests that are remembered, whatever their outcome. */
export const MAX_RECENT = 500;
/** The most failed requests that are remembered. */
export const MAX_FAILED = 500;

/** Keeps failed requests beyond the life of the process. */
export interface FailedJobRecords {
  /** Returns the newest entries, at most `limit`, the oldest first. */
  load(limit: number): readonly PastJob[];
  /** Adds entries and keeps the newest `limit`. Returns whether it has; the caller tries again otherwise. MUST NOT throw. */
  add(jobs: readonly PastJob[], limit: number): boolean;
}

export interface PastJobsOptions {
  readonly clock: Clock;
  /** Undefined: failed requests are forgotten at a restart. */
  readonly records: FailedJobRecords | undefined;
  /** Time after which failed requests are written. */
  readonly flushMs: number;
}

/** The requests that ended recently, and those that failed. Both lists are bounded; the oldest entries go first. */
export class PastJobs {
  readonly #options: PastJobsOptions;
  readonly #recent = new Ring<PastJob>(MAX_RECENT);
  readonly #failed = new Ring<PastJob>(MAX_FAILED);
  /** Failed requests that are not written yet, the oldest first. */
  #unwritten: PastJob[] = [];
  #cancelTimer: CancelTimer | undefined;
  #isClosed = false;

  constructor(options: PastJobsOptions) {
    this.#options = options;
    for (const job of options.records?.load(MAX_FAILED) ?? []) this.#failed.push(job);
  }

  add(job: PastJob): void {
    this.#recent.push(job);
    if (job.outcome !== "failed") return;
    this.#failed.push(job);
    if (!this.#options.records) return;
    this.#unwritten.push(job);
    // Further ones would be removed again as soon as they are written.
    if (this.#unwritten.length > MAX_FAILED) this.#unwritten.shift();
    if (this.#isClosed) this.#write();
    else this.#cancelTimer ??= this.#options.clock.after(this.#options.flushMs, () => this.#flush());
  }

  /** Returns the requests that ended last, the newest first. */
  recent(): readonly PastJob[] {
    return this.#recent.newestFirst();
  }

  /** Returns the requests that failed last, the newest first. */
  failed(): readonly PastJob[] {
    return this.#failed.newestFirst();
  }

  /** Finds a request by its own id or by that of its job. The newest one counts. */
  find(id: string): PastJob | undefined {
    const isNamed = (job: PastJob): boolean => job.id === id || job.jobId === id;
    return this.recent().find(isNamed) ?? this.failed().find(isNamed);
  }

  /** Writes what is not written yet. What is added later is written immediately. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#write();
  }

  #flush(): void {
    this.#cancelTimer = undefined;
    if (!this.#write()) this.#cancelTimer = this.#options.clock.after(this.#options.flushMs, () => this.#flush());
  }

  #write(): boolean {
    if (this.#unwritten.length === 0) return true;
    const isWritten = this.#options.records?.add(this.#unwritten, MAX_FAILED) ?? true;
    if (isWritten) this.#unwritten = [];
    return isWritten;
  }
}
