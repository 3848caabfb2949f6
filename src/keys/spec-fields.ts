import * as v from "valibot";
import { CREDENTIAL_HEADERS } from "../system/credential-headers.ts";
import { hasMadeKey, maskMadeKeys } from "../system/key-mask.ts";
import { cleanText } from "../wire/clean-text.ts";
import { isModelId, MAX_MODEL_CHARS } from "../wire/names.ts";
import { parseAmount } from "./amounts.ts";
import { MAX_GLOBS } from "./model-globs.ts";

// The fields of a request to make or change a key. A schema's message completes the sentence "it must be …".

export const MAX_NAME_CHARS = 128;
const NAME_FORM = `text of 1 to ${MAX_NAME_CHARS} characters in one line`;
const MAX_TENANTS = 100;
/** A day of the year 9999, so that every time that is accepted can be written with four digits. */
const MAX_TIME = Date.UTC(9999, 11, 31);

/** The name of a key or a tenant. It is normalized, because two programs write the same `ü` as one character or as two. */
export const nameField = v.pipe(
  v.string(NAME_FORM),
  v.normalize("NFC"),
  v.trim(),
  v.nonEmpty(NAME_FORM),
  v.maxLength(MAX_NAME_CHARS, NAME_FORM),
  v.check((text) => cleanText(text) === text, NAME_FORM),
  v.check((text) => !hasMadeKey(text), "a name, and not a key"),
);

/**
 * Turns the name that a worker gives itself into one that a key may have; undefined if nothing of it can be shown. A name that is
 * too long is cut off, and a key in it is masked, because a worker must not fail to join over its name.
 */
export function toName(text: string): string | undefined {
  // The form is normalized first, which can make it longer, and can make a key of what was none.
  const masked = maskMadeKeys(cleanText(text.normalize("NFC"))).trim();
  // A cut within a pair of surrogates leaves half a character, which is not well-formed.
  const cut = masked.slice(0, MAX_NAME_CHARS).replace(/[\ud800-\udbff]$/, "");
  const read = v.safeParse(nameField, cut);
  return read.success ? read.output : undefined;
}

const GLOB_FORM = `a model's name of at most ${MAX_MODEL_CHARS} characters, in which * stands for any characters`;
export const globsField = v.pipe(
  v.array(v.pipe(v.string(GLOB_FORM), v.check(isModelId, GLOB_FORM)), "a list of model names"),
  v.maxLength(MAX_GLOBS, `at most ${MAX_GLOBS} names`),
  v.transform((globs) => [...new Set(globs)]),
);

export const tenantsField = v.pipe(
  v.array(nameField, "a list of tenants"),
  v.minLength(1, "a list of at least one tenant"),
  v.maxLength(MAX_TENANTS, `at most ${MAX_TENANTS} tenants`),
  v.transform((tenants) => [...new Set(tenants)]),
);

/** A whole number within bounds, or text that stands for one: `2M`. */
export function amountField(min: number, max: number) {
  const form = `a whole number from ${min} to ${max}, or such a number with k, M or G`;
  return v.pipe(
    v.union(
      [
        v.number(),
        v.pipe(
          v.string(),
          v.transform((text) => parseAmount(text) ?? Number.NaN),
        ),
      ],
      form,
    ),
    v.number(form),
    v.integer(form),
    v.minValue(min, form),
    v.maxValue(max, form),
  );
}

const WEIGHT_FORM = "a number from 0.01 to 100";
export const weightField = v.pipe(v.number(WEIGHT_FORM), v.minValue(0.01, WEIGHT_FORM), v.maxValue(100, WEIGHT_FORM));

const HEADER_FORM = "the name of a header, of at most 64 characters";
const NOT_CREDENTIAL = "a header that names a person, such as X-OpenWebUI-User-Id. This one carries a key or a sign-in";
export const headerField = v.pipe(
  v.string(HEADER_FORM),
  v.trim(),
  v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, HEADER_FORM),
  v.toLowerCase(),
  v.check((name) => !CREDENTIAL_HEADERS.has(name), NOT_CREDENTIAL),
);

const ZONE_FORM = "the name of a time zone, such as Europe/Berlin";
export const zoneField = v.pipe(v.string(ZONE_FORM), v.check(isTimeZone, ZONE_FORM));

const TIME_FORM = "a time in RFC 3339, such as 2027-01-31T00:00:00Z";
/** RFC 3339 with its offset, because a time without one means something else on every machine. */
const TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/i;

export const timeField = v.pipe(
  v.string(TIME_FORM),
  v.regex(TIME, TIME_FORM),
  v.check(hasRealDay, TIME_FORM),
  v.transform((text) => Date.parse(text)),
  v.number(TIME_FORM),
  v.minValue(0, TIME_FORM),
  v.maxValue(MAX_TIME, TIME_FORM),
);

/** Makes a field of a record that a request may leave out; with null, it takes the field's value away. */
export function removable<T extends v.GenericSchema>(field: T) {
  return v.optional(v.nullable(field));
}

/** Whether the day of a time exists. `Date.parse` takes 31 February for 3 March. */
function hasRealDay(text: string): boolean {
  const day = text.slice(0, 10);
  const parsed = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(day);
}

/** The usual names, because to ask for one by itself takes 0.1 ms, and a file may have a zone for each of 10,000 keys. */
const ZONES: ReadonlySet<string> = new Set(Intl.supportedValuesOf("timeZone"));

function isTimeZone(name: string): boolean {
  if (name.length > 64) return false;
  if (ZONES.has(name)) return true;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
