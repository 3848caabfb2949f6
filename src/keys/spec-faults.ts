import type * as v from "valibot";
import { Fault } from "../errors.ts";
import { nearest } from "../settings/nearest.ts";
import { cleanText } from "../wire/clean-text.ts";

/** The parsed request, or the field that is wrong, with a sentence that says what it must be. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly param: string | undefined; readonly message: string };

/** The most characters of a field's name in an error. */
const MAX_PARAM_CHARS = 128;
const FIELD_NAME = /^[a-z_-]{1,40}$/i;

/** Returns the error for a request that could not be read. */
export function specFault({ param, message }: { readonly param: string | undefined; readonly message: string }): Fault {
  return new Fault("invalid_request", { message, ...(param !== undefined && { param }) });
}

/** What is read: `a key` with its fields, and those within a field. */
export interface Fields {
  readonly what: string;
  readonly outer: readonly string[];
  readonly inner: readonly string[];
}

/** Says in one sentence what is wrong. It repeats the names of fields, and never a value. */
export function wrong(issue: v.BaseIssue<unknown>, fields: Fields): Read<never> {
  const path = issue.path?.map(({ key }) => cleanText(String(key))) ?? [];
  const param = path.join(".").slice(0, MAX_PARAM_CHARS);
  if (issue.type === "strict_object" && issue.expected === "never") return unknownField(path, param, fields);
  if (path.length === 0)
    return { ok: false, param: undefined, message: `The ${fields.what} must be ${issue.message}.` };
  if (issue.input === undefined) return { ok: false, param, message: `'${param}' is missing.` };
  return { ok: false, param, message: `'${param}' must be ${issue.message}.` };
}

function unknownField(path: readonly string[], param: string, { what, outer, inner }: Fields): Read<never> {
  // A key that was pasted into the wrong place must not reach the log. Names of fields have no digits, and keys do.
  if (!path.every((name) => FIELD_NAME.test(name)))
    return { ok: false, param: undefined, message: `One of its fields is not a field of a ${what}.` };
  const near = nearest(path.at(-1) ?? "", path.length === 1 ? outer : inner);
  const hint = near ? `; did you mean '${near}'?` : ".";
  return { ok: false, param, message: `'${param}' is not a field of a ${what}${hint}` };
}
