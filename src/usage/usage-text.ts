import type { Group } from "./usage-groups.ts";
import type { Dimension, UsageQuery } from "./usage-query.ts";

/** One row of an answer, by the names of its fields. It has a key, a model or an end user if the query groups by it. */
export type UsageLine = Readonly<Record<string, string | number | null>>;

/** Returns the name of a key for people; undefined for one that has none. */
export type NameOfKey = (key: string) => string | undefined;

const DIMENSION_FIELDS: Readonly<Record<Dimension, readonly string[]>> = {
  key: ["key", "key_name"],
  model: ["model"],
  end_user: ["end_user"],
};

/** The fields of all rows, after those of the dimensions. */
const AMOUNT_FIELDS = [
  "requests",
  "failures",
  "input_tokens",
  "cached_tokens",
  "output_tokens",
  "audio_seconds",
  "wait_seconds",
  "held_seconds",
  "estimated",
] as const;

/** Returns a group as a row of the answer. */
export function toLine(group: Group, nameOf: NameOfKey): UsageLine {
  const { key, model, endUser } = group;
  return {
    at: new Date(group.at).toISOString(),
    ...(key !== undefined && { key, key_name: nameOf(key) ?? key }),
    ...(model !== undefined && { model }),
    // Empty for requests that name no end user.
    ...(endUser !== undefined && { end_user: endUser === "" ? null : endUser }),
    requests: group.requests,
    failures: group.failures,
    input_tokens: group.input,
    cached_tokens: group.cached,
    output_tokens: group.output,
    audio_seconds: group.audioMs / 1000,
    wait_seconds: group.waitMs / 1000,
    held_seconds: group.heldMs / 1000,
    estimated: group.estimated,
  };
}

/** Formats an answer as JSON, row by row. */
export function* jsonText(
  query: UsageQuery,
  missing: readonly string[],
  lines: Iterable<UsageLine>,
): Generator<string> {
  const { from, to, step } = query;
  const times = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const head = JSON.stringify({ ...times, step, missing_servers: missing });
  yield `${head.slice(0, -1)},"rows":[`;
  let separator = "";
  for (const line of lines) {
    yield separator + JSON.stringify(line);
    separator = ",";
  }
  yield "]}";
}

/** Formats an answer as CSV (RFC 4180), with a header line. */
export function* csvText({ by }: UsageQuery, lines: Iterable<UsageLine>): Generator<string> {
  const fields = ["at", ...by.flatMap((each) => DIMENSION_FIELDS[each]), ...AMOUNT_FIELDS];
  yield `${fields.join(",")}\r\n`;
  for (const line of lines) yield `${fields.map((field) => csvField(line[field] ?? "")).join(",")}\r\n`;
}

/** How formulas begin, also in the wide characters of East Asian scripts, which some spreadsheets accept as well. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * Formats one field. Clients and workers choose some of the texts, and a spreadsheet runs one that begins like a formula, so
 * such a text gets an apostrophe in front.
 */
function csvField(value: string | number): string {
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
