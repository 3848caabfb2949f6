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

function invalid(param: string, message: string): Fault {
  return new Fault("invalid_request", { message, param });
}
