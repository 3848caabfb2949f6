import { Fault } from "../errors.ts";

/** Returns the value of a parameter, trimmed; undefined for one that is missing or empty. */
export type Query = (name: string) => string | undefined;

/** Reads the query of a request's URL. */
export function queryOf({ url }: Pick<Request, "url">): Query {
  const parameters = URL.parse(url)?.searchParams;
  return (name) => parameters?.get(name)?.trim() || undefined;
}

/** Returns a parameter that is a whole number from 1 to `max`; undefined without it. Throws `invalid_request`. */
export function countIn(query: Query, name: string, max: number): number | undefined {
  const written = query(name);
  if (written === undefined) return undefined;
  const count = /^\d{1,15}$/.test(written) ? Number(written) : 0;
  if (count >= 1 && count <= max) return count;
  throw invalid(name, `'${name}' must be a whole number from 1 to ${max}.`);
}

/** Returns a parameter that is one of these words; undefined without it. Throws `invalid_request`. */
export function wordIn<W extends string>(query: Query, name: string, words: readonly W[]): W | undefined {
  const written = query(name);
  if (written === undefined) return undefined;
  const word = words.find((each) => each === written);
  if (word !== undefined) return word;
  throw invalid(name, `'${name}' must be ${words.length === 1 ? "" : "one of "}${words.join(", ")}.`);
}

const TIME = /^\d{4}-\d{2}-\d{2}(?:[Tt]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2}))?$/;

/**
 * Returns a parameter that is a date or an RFC 3339 time, in milliseconds since 1970; undefined without it. Throws
 * `invalid_request`.
 */
export function timeIn(query: Query, name: string): number | undefined {
  const text = query(name);
  if (text === undefined) return undefined;
  // In a query, a plus sign that is not percent-encoded means a blank.
  const written = text.replace(/ (?=\d{2}:\d{2}$)/, "+");
  const at = TIME.test(written) && hasRealDay(written) ? Date.parse(written) : Number.NaN;
  if (at >= 0) return at;
  throw invalid(name, `'${name}' must be a date or an RFC 3339 time, such as 2026-11-01 or 2026-11-01T08:00:00Z.`);
}

/** Whether the day of a time exists. `Date.parse` takes 31 February for 3 March. */
function hasRealDay(text: string): boolean {
  const day = text.slice(0, 10);
  const at = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day);
}

function invalid(param: string, message: string): Fault {
  return new Fault("invalid_request", { message, param });
}
