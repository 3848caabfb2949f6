import { ERRORS, type ErrorCode } from "../errors.ts";
import type { JobAttempt, JobDetail, WorkerName } from "../plugin/details.ts";
import { causeOf } from "../plugin/failure-cause.ts";
import type { PastJob } from "./past-job.ts";

/** Describes a request that has ended. Entries that an earlier version has stored lack some of it. */
export function toEndedDetail(job: PastJob): JobDetail {
  const acceptedAt = job.endedAt - job.waitMs - job.heldMs;
  const error = errorOf(job);
  const worker = workerOf(job);
  return {
    id: job.jobId ?? null,
    request_id: job.id,
    plugin: job.plugin,
    kind: job.kind ?? null,
    model: job.model,
    status: job.outcome,
    position: null,
    caller: job.caller,
    key: job.key,
    end_user: job.endUser ?? null,
    class: job.class ?? null,
    worker,
    route: job.route ?? null,
    reason: job.reason ?? null,
    cause: error === null ? null : causeOf(error),
    message: job.message ?? usualMessage(job.reason),
    http_status: job.status ?? null,
    attempts: attemptsOf(job, worker, error),
    refusals: job.refusals ?? 0,
    accepted_at: rfc3339(acceptedAt),
    first_byte_at: job.firstByteMs === undefined ? null : rfc3339(acceptedAt + job.firstByteMs),
    ended_at: rfc3339(job.endedAt),
    waiting_ms: job.waitMs,
    first_byte_ms: job.firstByteMs ?? null,
    running_ms: job.heldMs,
    bytes_out: job.bytesOut ?? 0,
    input_tokens: job.inputTokens ?? null,
    cached_tokens: job.cachedTokens ?? null,
    output_tokens: job.outputTokens ?? null,
    audio_seconds: job.audioSeconds ?? null,
    estimated: job.isEstimated,
  };
}

/** The reason of a failure: the code of the error, or the status of an answer that was passed on. */
function errorOf({ outcome, reason, status }: PastJob): string | null {
  if (outcome !== "failed") return null;
  return reason ?? (status === undefined ? null : `status ${status}`);
}

function workerOf({ worker, workerName, workerServer }: PastJob): WorkerName | null {
  if (worker === undefined) return null;
  return { id: worker, name: workerName ?? worker, ...(workerServer !== undefined && { server: workerServer }) };
}

/** The failed attempts and the last one, unless the job ended while it waited for another worker. */
function attemptsOf(job: PastJob, worker: WorkerName | null, error: string | null): readonly JobAttempt[] {
  const failed = (job.failedAttempts ?? []).map(
    ({ worker: id, name, server, reason, runningMs }): JobAttempt => ({
      worker: { id, name, ...(server !== undefined && { server }) },
      status: "failed",
      reason,
      cause: causeOf(reason),
      running_ms: runningMs,
    }),
  );
  const wasLast = worker === null || (job.attempts !== undefined && job.attempts <= failed.length);
  if (wasLast || !worker) return failed;
  const isFailed = job.outcome === "failed" && error !== null;
  const last: JobAttempt = {
    worker,
    status: job.outcome,
    reason: isFailed ? error : null,
    cause: isFailed ? causeOf(error) : null,
    running_ms: job.lastAttemptMs ?? job.heldMs,
  };
  return [...failed, last];
}

function usualMessage(reason: string | undefined): string | null {
  return reason !== undefined && isErrorCode(reason) ? ERRORS[reason].message : null;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
