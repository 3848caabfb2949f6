import type { JobOutcome } from "../figures/metrics.ts";
import type { EndedJobRequest } from "../plugin/ended-requests.ts";
import { NONE_EXCLUDED } from "../pool/excluded.ts";
import type { Pool } from "../pool/pool.ts";
import { isDoctorModel } from "../wire/names.ts";
import type { EndedJob } from "./ledger.ts";

/** Stands for the names that no worker offers. No model has brackets in its name. */
const UNKNOWN_MODEL = "(unknown)";

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
    waitMs: report.queuedMs,
    heldMs: claim ? report.durationMs - report.queuedMs : 0,
  };
}

/** Returns the model that a request counts for. Clients choose names freely, so one that no worker has is not counted under itself. */
function countedModel(served: string | undefined): string {
  return served === undefined || isDoctorModel(served) ? UNKNOWN_MODEL : served;
}
