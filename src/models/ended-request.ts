import type { JobOutcome } from "../figures/metrics.ts";
import type { EndedAttempt, EndedJobRequest } from "../plugin/ended-requests.ts";
import { NONE_EXCLUDED } from "../pool/excluded.ts";
import type { FailedAttempt } from "../pool/job-spec.ts";
import type { Pool } from "../pool/pool.ts";
import { isDoctorModel } from "../wire/names.ts";
import type { EndedJob } from "./ended-job.ts";

/** Stands for the names that no worker offers. No model has brackets in its name. */
const UNKNOWN_MODEL = "(unknown)";

/** The most characters of an error that are kept. One without a worker is not: it may quote what its client wrote. */
const MAX_MESSAGE_CHARS = 500;
/** The most attempts that are kept. */
const MAX_ATTEMPTS = 10;

/** Returns an ended job as it is counted for its caller. */
export function toEndedRequest(
  plugin: string,
  { requestId, caller, model, usage, isEstimated, report }: EndedJob,
  outcome: JobOutcome,
  models: Pick<Pool["models"], "resolve">,
): EndedJobRequest {
  const { claim, end } = report;
  return {
    plugin,
    requestId,
    caller,
    endUser: report.endUser,
    model: countedModel(claim?.model ?? models.resolve({ model, exact: false, excluded: NONE_EXCLUDED })),
    worker: claim?.worker.id || undefined,
    workerServer: claim?.worker.server,
    outcome,
    reason: end.kind === "failed" ? end.fault.code : undefined,
    status: report.status,
    usage,
    isEstimated,
    jobId: report.jobId || undefined,
    kind: report.kind,
    class: report.class,
    workerName: claim?.worker.name || undefined,
    route: (report.route ?? claim?.route)?.reason,
    message: end.kind === "failed" && claim ? end.fault.message.slice(0, MAX_MESSAGE_CHARS) : undefined,
    firstByteMs: report.firstByteMs === undefined ? undefined : Math.round(report.firstByteMs),
    bytesOut: report.bytesOut,
    attempts: report.attempts,
    failedAttempts:
      report.failedAttempts.length === 0 ? undefined : report.failedAttempts.slice(0, MAX_ATTEMPTS).map(toAttempt),
    lastAttemptMs: report.lastAttempt && Math.round(report.lastAttempt.runningMs),
    refusals: report.refusals || undefined,
    waitMs: report.queuedMs,
    heldMs: claim ? report.durationMs - report.queuedMs : 0,
  };
}

function toAttempt({ claim: { worker }, reason, runningMs }: FailedAttempt): EndedAttempt {
  return { worker: worker.id, name: worker.name, server: worker.server, reason, runningMs: Math.round(runningMs) };
}

/** Returns the model that a request counts for. Clients choose names freely, so one that no worker has is not counted under itself. */
function countedModel(served: string | undefined): string {
  return served === undefined || isDoctorModel(served) ? UNKNOWN_MODEL : served;
}
