import * as v from "valibot";
import type { Work } from "../../pool/seat.ts";
import { cleanText } from "../../wire/clean-text.ts";
import { MAX_TEXT_CHARS } from "../../wire/names.ts";

// What a server reports to a peer about the jobs that it has sent there (docs/protocol.md, "Between servers").

/** The most jobs in one message. */
export const MAX_JOBS = 500;

/** Kinds of usage: more than any plugin counts. */
const MAX_UNITS = 16;

const amount = v.pipe(v.number(), v.finite());
const positive = v.pipe(amount, v.minValue(0));
const unit = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,31}$/));

const workSchema = v.object({
  outcome: v.picklist(["completed", "failed", "canceled"]),
  error: v.optional(v.pipe(v.string(), v.maxLength(MAX_TEXT_CHARS), v.transform(cleanText))),
  running_ms: positive,
  first_byte_ms: v.optional(positive),
  usage: v.optional(
    v.pipe(
      v.record(unit, positive),
      v.check((usage) => Object.keys(usage).length <= MAX_UNITS),
    ),
  ),
  estimated: v.optional(v.boolean()),
  input: v.optional(positive),
  output: positive,
  uncounted: v.optional(amount),
});

const jobSchema = v.object({
  ref: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** Output that the job has made so far and that no earlier message contains. */
  progress: v.optional(amount),
  /** What the job cost its worker; present once, at its end. */
  work: v.optional(workSchema),
});
export type JobNews = v.InferOutput<typeof jobSchema>;

export const workMessage = v.object({
  type: v.literal("work"),
  pool: v.pipe(v.string(), v.maxLength(MAX_TEXT_CHARS)),
  jobs: v.pipe(v.array(jobSchema), v.maxLength(MAX_JOBS)),
});
export type WorkMessage = v.InferOutput<typeof workMessage>;

/** Returns an ended job as it is reported to the server of its worker. */
export function toNews(work: Work): NonNullable<JobNews["work"]> {
  const { outcome, error, runningMs, firstByteMs, usage, isEstimated, input, output, uncounted } = work;
  const used = Object.entries(usage ?? {}).filter((each): each is [string, number] => each[1] !== undefined);
  return {
    outcome,
    ...(error === undefined ? {} : { error: error.slice(0, MAX_TEXT_CHARS) }),
    running_ms: runningMs,
    ...(firstByteMs === undefined ? {} : { first_byte_ms: firstByteMs }),
    ...(usage ? { usage: Object.fromEntries(used) } : {}),
    ...(isEstimated ? { estimated: true } : {}),
    ...(input === undefined ? {} : { input: Math.max(0, input) }),
    output,
    ...(uncounted === undefined ? {} : { uncounted }),
  };
}

/**
 * Returns the work of a job as the server of its worker counts it. The times that the entry server has measured include the
 * way to the worker's server and back. `runningMs` is the time that passed at the worker's server.
 */
export function toWork(news: NonNullable<JobNews["work"]>, runningMs: number): Work {
  const wayMs = Math.max(0, news.running_ms - runningMs);
  const { outcome, error, first_byte_ms, usage, estimated, input, output, uncounted } = news;
  return {
    outcome,
    error,
    runningMs,
    firstByteMs: first_byte_ms === undefined ? undefined : Math.max(0, first_byte_ms - wayMs),
    usage,
    ...(estimated ? { isEstimated: true } : {}),
    input,
    output,
    ...(uncounted === undefined ? {} : { uncounted }),
  };
}
