import type { JobOutcome } from "../figures/metrics.ts";
import { UNIT_RULES, type Usage } from "../figures/units.ts";
import type { LogFields } from "../system/deps.ts";
import type { EndedJob } from "./ended-job.ts";

/** The most characters of a model's name in a log line. Requests may name any model. */
const MAX_MODEL_LENGTH = 128;

/** The fields of a log line that is still being put together. */
type Fields = { -readonly [name in keyof LogFields]: LogFields[name] };

/** Returns the fields of the one log line of a job that has ended, `job.ended`. */
export function toLogFields(pluginId: string, ended: EndedJob, outcome: JobOutcome): LogFields {
  const { requestId, caller, model, usage, isEstimated, report, parts } = ended;
  const { claim, end } = report;
  const why = report.route ?? claim?.route;
  const fields: Fields = {
    plugin: pluginId,
    request: requestId,
    caller: caller.name,
    address: caller.address,
    route: caller.route,
    model: model.slice(0, MAX_MODEL_LENGTH),
    worker: claim?.worker.id || undefined,
    worker_server: claim?.worker.server,
    route_reason: why?.reason,
    route_share: why?.share === undefined ? undefined : Math.round(why.share * 1000) / 1000,
    route_score: why?.score,
    outcome,
    reason: end.kind === "failed" ? end.fault.code : undefined,
    limit: end.kind === "failed" ? end.fault.limit : undefined,
    status: report.status,
    parts,
    attempts: report.attempts,
    retry_reason: report.retryReason,
    refusals: report.refusals || undefined,
    queued_ms: Math.round(report.queuedMs),
    first_byte_ms: report.firstByteMs === undefined ? undefined : Math.round(report.firstByteMs),
    duration_ms: Math.round(report.durationMs),
    bytes_out: report.bytesOut,
  };
  if (usage) addUsage(fields, usage, isEstimated === true);
  return fields;
}

/** Adds what a job used to the fields of its log line. */
function addUsage(fields: Fields, usage: Usage, isEstimated: boolean): void {
  for (const [unit, { logField }] of UNIT_RULES) if (logField !== undefined) fields[logField] = usage[unit];
  if (isEstimated) fields["estimated"] = true;
}
