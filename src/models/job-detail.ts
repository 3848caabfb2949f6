import type { JobAttempt, JobDetail, WorkerName } from "../plugin/details.ts";
import { causeOf } from "../plugin/failure-cause.ts";
import type { ClaimedWorker } from "../pool/claim.ts";
import type { FailedAttempt } from "../pool/job-spec.ts";
import type { RegisteredJob } from "../pool/jobs-registry.ts";

/** How much of a model's name is shown. Names that workers register are shorter; clients may send longer ones. */
const MAX_MODEL_CHARS = 512;

/** Describes a running or waiting job. `now` is in milliseconds since 1970. */
export function toJobDetail(plugin: string, job: RegisteredJob, now: number): JobDetail {
  const facts = job.facts();
  const { caller, endUser } = job.ticket;
  const worker = job.isWaiting ? undefined : job.claim?.worker;
  const current: JobAttempt[] =
    worker && worker.id !== ""
      ? [
          {
            worker: toWorkerName(worker),
            status: facts.status,
            reason: null,
            cause: null,
            running_ms: Math.round(facts.attemptMs ?? 0),
          },
        ]
      : [];
  const acceptedAt = now - facts.ageMs;
  return {
    id: facts.id,
    request_id: facts.requestId,
    plugin,
    kind: facts.kind,
    model: facts.model.slice(0, MAX_MODEL_CHARS),
    status: facts.status,
    position: facts.position === 0 ? null : facts.position,
    caller: caller.name,
    key: caller.keyId ?? caller.name,
    end_user: endUser ?? null,
    class: job.ticket.class,
    worker: worker && worker.id !== "" ? toWorkerName(worker) : null,
    route: facts.route?.reason ?? null,
    reason: null,
    cause: null,
    message: null,
    http_status: facts.answerStatus ?? null,
    attempts: [...toFailedAttempts(facts.failedAttempts), ...current],
    refusals: facts.refusals,
    accepted_at: rfc3339(acceptedAt),
    first_byte_at: facts.firstByteMs === undefined ? null : rfc3339(acceptedAt + facts.firstByteMs),
    ended_at: null,
    waiting_ms: Math.round(facts.waitingMs),
    first_byte_ms: facts.firstByteMs === undefined ? null : Math.round(facts.firstByteMs),
    running_ms: Math.max(0, Math.round(facts.ageMs - facts.waitingMs)),
    bytes_out: facts.bytesOut,
    input_tokens: null,
    cached_tokens: null,
    output_tokens: null,
    audio_seconds: null,
    estimated: false,
  };
}

/** Describes attempts after which a job went elsewhere. */
export function toFailedAttempts(failed: readonly FailedAttempt[]): readonly JobAttempt[] {
  return failed.map(({ claim, reason, runningMs }) => ({
    worker: toWorkerName(claim.worker),
    status: "failed",
    reason,
    cause: causeOf(reason),
    running_ms: Math.round(runningMs),
  }));
}

export function toWorkerName({ id, name, server }: ClaimedWorker): WorkerName {
  return { id, name, ...(server !== undefined && { server }) };
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
