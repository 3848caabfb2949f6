import * as v from "valibot";
import type { EndedJobRequest } from "../plugin/ended-requests.ts";

/** A request to a model that has ended, as operators see it later. */
export interface PastJob {
  /** The id of the request. */
  readonly id: string;
  /** The id under which operators knew its job. Absent, like the other optional parts, where it is not known. */
  readonly jobId?: string | undefined;
  readonly kind?: string | undefined;
  /** When it ended, in milliseconds since 1970. */
  readonly endedAt: number;
  readonly plugin: string;
  /** The caller's name as in logs. */
  readonly caller: string;
  /** The id of a made key; for any other caller, its name. */
  readonly key: string;
  readonly endUser?: string | undefined;
  readonly model: string;
  readonly worker?: string | undefined;
  readonly workerName?: string | undefined;
  readonly workerServer?: string | undefined;
  readonly outcome: EndedJobRequest["outcome"];
  readonly reason?: string | undefined;
  readonly status?: number | undefined;
  readonly inputTokens?: number | undefined;
  readonly cachedTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly audioSeconds?: number | undefined;
  readonly isEstimated: boolean;
  readonly waitMs: number;
  readonly heldMs: number;
  readonly class?: string | undefined;
  /** Why it had its worker, in one word. */
  readonly route?: string | undefined;
  /** The error as its client got it, unless that was the usual text of its code. */
  readonly message?: string | undefined;
  readonly firstByteMs?: number | undefined;
  readonly bytesOut?: number | undefined;
  /** How often it was sent to a worker. */
  readonly attempts?: number | undefined;
  /** The attempts after which it went elsewhere, the first one first; at most 10. */
  readonly failedAttempts?: readonly PastAttempt[] | undefined;
  /** How long the last worker had it. */
  readonly lastAttemptMs?: number | undefined;
  /** How often a worker turned it down because no slot was free. */
  readonly refusals?: number | undefined;
}

/** An attempt that failed. */
export type PastAttempt = NonNullable<EndedJobRequest["failedAttempts"]>[number];

/** Returns the id under which a caller's usage is counted: that of its made key, or its name. */
export function usageKeyOf({ keyId, name }: EndedJobRequest["caller"]): string {
  return keyId ?? name;
}

/** Returns an ended request as it is remembered. `endedAt` is in milliseconds since 1970. */
export function toPastJob(request: EndedJobRequest, endedAt: number): PastJob {
  const { requestId, caller, usage, isEstimated = false, waitMs, heldMs } = request;
  return {
    id: requestId,
    jobId: request.jobId,
    kind: request.kind,
    endedAt,
    plugin: request.plugin,
    caller: caller.name,
    key: usageKeyOf(caller),
    endUser: request.endUser,
    model: request.model,
    worker: request.worker,
    workerName: request.workerName,
    workerServer: request.workerServer,
    outcome: request.outcome,
    reason: request.reason,
    status: request.status,
    inputTokens: usage?.input_tokens,
    cachedTokens: usage?.cached_tokens,
    outputTokens: usage?.output_tokens,
    audioSeconds: usage?.audio_seconds,
    isEstimated,
    waitMs: Math.round(waitMs),
    heldMs: Math.round(heldMs),
    class: request.class,
    route: request.route,
    message: request.message,
    firstByteMs: request.firstByteMs,
    bytesOut: request.bytesOut,
    attempts: request.attempts,
    failedAttempts: request.failedAttempts,
    lastAttemptMs: request.lastAttemptMs,
    refusals: request.refusals,
  };
}

const text = v.optional(v.string());
const number = v.optional(v.number());

const pastJobSchema = v.object({
  id: v.string(),
  jobId: text,
  kind: text,
  endedAt: v.number(),
  plugin: v.string(),
  caller: v.string(),
  key: v.string(),
  endUser: text,
  model: v.string(),
  worker: text,
  workerName: text,
  workerServer: text,
  outcome: v.picklist(["completed", "failed", "canceled"]),
  reason: text,
  status: number,
  inputTokens: number,
  cachedTokens: number,
  outputTokens: number,
  audioSeconds: number,
  isEstimated: v.boolean(),
  waitMs: v.number(),
  heldMs: v.number(),
  class: text,
  route: text,
  message: text,
  firstByteMs: number,
  bytesOut: number,
  attempts: number,
  failedAttempts: v.optional(
    v.array(
      v.object({ worker: v.string(), name: v.string(), server: text, reason: v.string(), runningMs: v.number() }),
    ),
  ),
  lastAttemptMs: number,
  refusals: number,
} satisfies Record<keyof PastJob, v.GenericSchema>);

/** Returns the past job in a stored value; undefined if the value is not one. */
export function parsePastJob(value: unknown): PastJob | undefined {
  const read = v.safeParse(pastJobSchema, value);
  return read.success ? read.output : undefined;
}
