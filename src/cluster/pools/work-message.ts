import * as v from "valibot";
import { isRecord } from "../../json/parse.ts";
import type { Work } from "../../pool/seat.ts";
import { cleanText } from "../../wire/clean-text.ts";
import { MAX_TEXT_CHARS } from "../../wire/names.ts";

// What a server reports to a peer about the jobs that it has sent there (docs/protocol.md, "Between servers").

/** The most jobs in one message. */
export const MAX_JOBS = 500;

/** Kinds of usage: more than any plugin counts. */
const MAX_UNITS = 16;

/** A kind of usage. */
const UNIT = /^[a-z][a-z0-9_]{0,31}$/;

/** A job in a report. */
export interface JobNews {
  readonly ref: number;
  /** Output that the job has made so far and that no earlier message contains. */
  readonly progress?: number;
  /** What the job cost its worker; present once, at its end. */
  readonly work?: WorkNews;
}

/** What a job cost its worker, as servers tell it. */
export interface WorkNews {
  readonly outcome: Work["outcome"];
  readonly error?: string;
  readonly running_ms: number;
  readonly first_byte_ms?: number;
  readonly usage?: Readonly<Record<string, number>>;
  readonly estimated?: boolean;
  readonly input?: number;
  readonly output: number;
  readonly uncounted?: number;
}

export interface WorkMessage {
  readonly type: "work";
  readonly pool: string;
  readonly jobs: readonly JobNews[];
}

// Every job that a peer has sent is in one of these messages, so they are checked by one function.
export const workMessage = v.custom<WorkMessage>(isWorkMessage);

function isWorkMessage(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { type, pool, jobs } = value;
  if (type !== "work" || typeof pool !== "string" || pool.length > MAX_TEXT_CHARS) return false;
  return Array.isArray(jobs) && jobs.length <= MAX_JOBS && jobs.every(isJob);
}

function isJob(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { ref, progress, work } = value;
  if (typeof ref !== "number" || !Number.isSafeInteger(ref) || ref < 0) return false;
  return isOptional(progress, isNumber) && isOptional(work, isWork);
}

function isWork(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { outcome, error, running_ms, first_byte_ms, usage, estimated, input, output, uncounted } = value;
  if (outcome !== "completed" && outcome !== "failed" && outcome !== "canceled") return false;
  if (error !== undefined && !(typeof error === "string" && error.length <= MAX_TEXT_CHARS)) return false;
  if (!isAmount(running_ms) || !isAmount(output) || !isOptional(first_byte_ms, isAmount)) return false;
  if (!isOptional(input, isAmount) || !isOptional(uncounted, isNumber) || !isOptional(usage, isUsage)) return false;
  return estimated === undefined || typeof estimated === "boolean";
}

function isUsage(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const units = Object.keys(value);
  return units.length <= MAX_UNITS && units.every((unit) => UNIT.test(unit) && isAmount(value[unit]));
}

function isOptional(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || is(value);
}

function isNumber(value: unknown): boolean {
  return Number.isFinite(value);
}

function isAmount(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

/** A report while it is written. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Returns an ended job as it is reported to the server of its worker. */
export function toNews(work: Work): WorkNews {
  const { outcome, error, runningMs, firstByteMs, usage, isEstimated, input, output, uncounted } = work;
  // A spread for each field would cost more than the rest of a report.
  const news: Writable<WorkNews> = { outcome, running_ms: runningMs, output };
  if (error !== undefined) news.error = error.slice(0, MAX_TEXT_CHARS);
  if (firstByteMs !== undefined) news.first_byte_ms = firstByteMs;
  if (usage) news.usage = toAmounts(usage);
  if (isEstimated) news.estimated = true;
  if (input !== undefined) news.input = Math.max(0, input);
  if (uncounted !== undefined) news.uncounted = uncounted;
  return news;
}

function toAmounts(usage: NonNullable<Work["usage"]>): Record<string, number> {
  const amounts: Record<string, number> = {};
  for (const [unit, amount] of Object.entries(usage)) if (amount !== undefined) amounts[unit] = amount;
  return amounts;
}

/**
 * Returns the work of a job as the server of its worker counts it. The times that the entry server has measured include the
 * way to the worker's server and back. `runningMs` is the time that passed at the worker's server.
 */
export function toWork(news: WorkNews, runningMs: number): Work {
  const wayMs = Math.max(0, news.running_ms - runningMs);
  const { outcome, error, first_byte_ms, usage, estimated, input, output, uncounted } = news;
  return {
    outcome,
    error: error === undefined ? undefined : cleanText(error),
    runningMs,
    firstByteMs: first_byte_ms === undefined ? undefined : Math.max(0, first_byte_ms - wayMs),
    usage,
    ...(estimated ? { isEstimated: true } : {}),
    input,
    output,
    ...(uncounted === undefined ? {} : { uncounted }),
  };
}
