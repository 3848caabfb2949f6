import type { FailedAttempt, JobReport } from "./job-spec.ts";

/** The most attempts of a job. A request with which three workers were lost is probably the cause. */
const MAX_ATTEMPTS = 3;

/** How often a job is sent elsewhere at once because a worker had no slot; after that it waits before each further try. */
const MAX_REFUSALS = 3;

/** The most attempts that a job keeps because its workers left. It bounds the tries of workers that do nothing else. */
const MAX_DEPARTURES = 3;

/** Counts how often a job was sent to a worker, and remembers how that ended. */
export class Tries {
  #attempts = 0;
  #refusals = 0;
  #departures = 0;
  #failed: readonly FailedAttempt[] = [];
  #retryReason: string | undefined;

  /** The tries so far, as the report of the job has them. */
  get report(): Pick<JobReport, "attempts" | "refusals" | "retryReason" | "failedAttempts"> {
    return {
      attempts: this.#attempts,
      refusals: this.#refusals,
      retryReason: this.#retryReason,
      failedAttempts: this.#failed,
    };
  }

  /** The number of the next try, beginning with 1. */
  get next(): number {
    return this.#attempts + this.#refusals + 1;
  }

  /** Whether the job may be sent once more after a failure. */
  get hasMore(): boolean {
    return this.#attempts - Math.min(this.#departures, MAX_DEPARTURES) < MAX_ATTEMPTS;
  }

  /** Whether the job must wait before it is sent again, because too many workers had no slot. */
  get mustWait(): boolean {
    return this.#refusals >= MAX_REFUSALS;
  }

  begin(): void {
    this.#attempts += 1;
  }

  /** Notes that the worker had no slot, so that nobody has worked on the job: this was no attempt. */
  refused(): void {
    this.#attempts -= 1;
    this.#refusals += 1;
  }

  /** Notes why the job is sent elsewhere. `attempt` is undefined if the worker is not to blame. */
  retry(reason: string, attempt: FailedAttempt | undefined): void {
    this.#retryReason = reason;
    if (attempt) this.#failed = [...this.#failed, attempt];
  }

  /** Notes that the worker was about to leave, for which the job is not the cause. */
  left(): void {
    this.#departures += 1;
  }
}
