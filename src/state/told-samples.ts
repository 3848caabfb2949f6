import { isRecord } from "../json/parse.ts";
import { CAPACITY, COLUMNS, type Column, INTERVAL_MS, type Sample, toHistoryState } from "./history.ts";

/**
 * The most samples of one answer. Numbers have at most 25 characters in JSON, so the 16 columns have at most 120 KB, which is
 * half of the largest message between servers.
 */
export const MAX_TOLD = 300;

/** How many answers a whole history takes. */
export const MAX_ANSWERS = CAPACITY / MAX_TOLD;

/** Samples of one server as it tells them, by its own clock. */
export interface ToldSamples {
  /** The time by its clock, in milliseconds since 1970. */
  readonly now: number;
  /** Oldest first. */
  readonly samples: readonly Sample[];
}

/**
 * Answers `{before}`, the question for samples: the newest ones before that time by this server's clock, or the newest ones
 * of all. They are told as columns, which are shorter than rows.
 */
export function tellSamples(question: unknown, own: readonly Sample[], now: number): object {
  const before = isRecord(question) ? question["before"] : undefined;
  const older = typeof before === "number" ? own.filter(({ at }) => at < before) : own;
  return { now, samples: toHistoryState(older.slice(-MAX_TOLD)).samples };
}

/**
 * Reads an answer of `tellSamples`; undefined if it is malformed. `before` is the time in the question. Samples of more than
 * a quarter of an hour ago are left out.
 */
export function readToldSamples(answer: unknown, before: number | undefined): ToldSamples | undefined {
  if (!isRecord(answer) || !isRecord(answer["samples"])) return undefined;
  const { now, samples: told } = answer;
  if (!isTime(now)) return undefined;
  const columns = COLUMNS.map((name) => [name, told[name]] as const);
  const length = Array.isArray(told["at"]) ? told["at"].length : Number.POSITIVE_INFINITY;
  if (length > MAX_TOLD) return undefined;
  const samples: Record<string, unknown>[] = Array.from({ length }, () => ({}));
  for (const [name, values] of columns) {
    if (!Array.isArray(values) || values.length !== length) return undefined;
    for (const [index, value] of values.entries()) {
      const sample = samples[index];
      if (!sample || !isFigure(name, value)) return undefined;
      sample[name] = value;
    }
  }
  const read = samples as unknown as readonly Sample[]; // the loop has set each column to a value of its type
  const end = Math.min(now, before === undefined ? now : before - 1);
  if (read.some(({ at }, index) => at > (read[index + 1]?.at ?? end + 1) - 1)) return undefined;
  return { now, samples: read.filter(({ at }) => at > now - CAPACITY * INTERVAL_MS) };
}

/** The columns that may be null. */
const NULLABLE: ReadonlySet<Column> = new Set(["first_byte_p50_ms", "first_byte_p95_ms"]);

function isFigure(column: Column, value: unknown): boolean {
  if (value === null) return NULLABLE.has(column);
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isTime(value: unknown): value is number {
  return isFigure("at", value);
}
