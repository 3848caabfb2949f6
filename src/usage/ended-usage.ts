import type { EndedJobs, JobDetail } from "../plugin/details.ts";
import type { EndedJobRequest, EndedRequest, EndedRequests } from "../plugin/ended-requests.ts";
import type { Clock } from "../system/deps.ts";
import { toEndedDetail } from "./ended-detail.ts";
import { MemoryUsage } from "./memory-usage.ts";
import { toPastJob, usageKeyOf } from "./past-job.ts";
import { type FailedJobRecords, PastJobs } from "./past-jobs.ts";
import { UsageMeter } from "./usage-meter.ts";
import { UsageReader } from "./usage-reader.ts";
import type { UsageRecords } from "./usage-records.ts";

export interface EndedUsageOptions {
  readonly clock: Clock;
  readonly flushMs: number;
  /** Undefined: usage is kept in memory, bounded, until the process ends. */
  readonly usage?: UsageRecords | undefined;
  readonly failedJobs?: FailedJobRecords | undefined;
}

/** Counts every request that has ended, and remembers the latest ones to models. */
export class EndedUsage implements EndedRequests, EndedJobs {
  readonly meter: UsageMeter;
  readonly reader: UsageReader;
  readonly jobs: PastJobs;
  readonly #clock: Clock;

  constructor({ clock, flushMs, usage, failedJobs }: EndedUsageOptions) {
    const records = usage ?? new MemoryUsage();
    this.#clock = clock;
    this.meter = new UsageMeter({ clock, records, flushMs });
    this.reader = new UsageReader({ clock, meter: this.meter, records });
    this.jobs = new PastJobs({ clock, records: failedJobs, flushMs });
  }

  addJob(job: EndedJobRequest): void {
    this.addOther(job);
    this.jobs.add(toPastJob(job, this.#clock.now()));
  }

  find(id: string): JobDetail | undefined {
    const job = this.jobs.find(id);
    return job && toEndedDetail(job);
  }

  addOther({ caller, model, endUser, outcome, usage, isEstimated, waitMs, heldMs }: EndedRequest): void {
    this.meter.add({
      key: usageKeyOf(caller),
      model,
      endUser,
      isFailed: outcome === "failed",
      inputTokens: usage?.input_tokens,
      cachedTokens: usage?.cached_tokens,
      outputTokens: usage?.output_tokens,
      audioSeconds: usage?.audio_seconds,
      isEstimated: isEstimated === true,
      waitMs,
      heldMs,
    });
  }

  /** Writes everything that is not written yet. */
  close(): void {
    this.meter.close();
    this.jobs.close();
  }
}
