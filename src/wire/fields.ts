import * as v from "valibot";
import { cleanText } from "./clean-text.ts";
import { type Close, type CloseName, closeWith } from "./closes.ts";
import {
  ID_FORM,
  isExchangeKind,
  isId,
  isModelId,
  KIND_FORM,
  MAX_KINDS,
  MAX_MODEL_CHARS,
  MAX_MODELS,
  MAX_TEXT_CHARS,
} from "./names.ts";

// Fields that several messages of workers share. A schema's message says what the field must be, and never repeats a value.

const TEXT_FORM = `text of at most ${MAX_TEXT_CHARS} characters`;
/** Short text for people, without control characters. */
export const textField = v.pipe(v.string(TEXT_FORM), v.maxLength(MAX_TEXT_CHARS, TEXT_FORM), v.transform(cleanText));

const KEY_FORM = "text of at most 4096 characters";
export const keyField = v.pipe(v.string(KEY_FORM), v.maxLength(4096, KEY_FORM));

const givenIdField = v.pipe(v.string(ID_FORM), v.check(isId, ID_FORM));
/** An id of a worker or relay; empty text asks the server for one. */
export const idField = v.union([v.literal(""), givenIdField], ID_FORM);

const MODEL_FORM = `a model id of 1 to ${MAX_MODEL_CHARS} characters without control characters`;
export const modelField = v.pipe(v.string(MODEL_FORM), v.check(isModelId, MODEL_FORM));
/** Model ids without repeats, in the order of their first mention. */
export const modelsField = v.pipe(
  v.array(modelField, "a list of model ids"),
  v.maxLength(MAX_MODELS, `at most ${MAX_MODELS} model ids`),
  v.transform((ids) => [...new Set(ids)]),
);

/** The most ids that a worker may name when it joins. */
export const MAX_JOIN_IDS = 64;

/** The ids of a worker that joins. */
export const joinIdsField = v.pipe(
  v.array(givenIdField, "a list of ids"),
  v.maxLength(MAX_JOIN_IDS, `at most ${MAX_JOIN_IDS} ids`),
  v.transform((ids) => [...new Set(ids)]),
);

/** Kinds of exchange without repeats. Kinds that this version does not know are kept: a plugin may ask for them. */
export const kindsField = v.pipe(
  v.array(v.pipe(v.string(KIND_FORM), v.check(isExchangeKind, KIND_FORM)), "a list of kinds"),
  v.maxLength(MAX_KINDS, `at most ${MAX_KINDS} kinds`),
  v.transform((kinds) => [...new Set(kinds)]),
);

/** A whole number from 0 to `max`. */
export function countField(max: number) {
  const form = `a whole number from 0 to ${max}`;
  return v.pipe(v.number(form), v.integer(form), v.minValue(0, form), v.maxValue(max, form));
}

const PERCENT_FORM = "a number from 0 to 100";
export const percentField = v.pipe(v.number(PERCENT_FORM), v.minValue(0, PERCENT_FORM), v.maxValue(100, PERCENT_FORM));

/** A first message that was read, or the close that refuses it. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly close: Close };

type Issues = readonly v.BaseIssue<unknown>[];

/** The close for a first message with a wrong field; `idName` is the field that holds the id. */
export function refusal(name: CloseName, idName: string, issues: Issues): Close {
  if (issues[0]?.path?.[0]?.key === idName) return closeWith("invalid_id", `it must be ${ID_FORM}`);
  return closeWith(name, issueText(issues));
}

/** Names the first wrong field and says what it must be. */
export function issueText(issues: Issues): string {
  const issue = issues[0];
  const path = issue?.path?.map((item) => String(item.key)).join(".") ?? "message";
  if (issue === undefined) return `${path} is not valid`;
  return issue.received === "undefined" ? `${path} is missing` : `${path} must be ${issue.message}`;
}

/** A message as its sender writes it: what the schema takes, read-only. */
export type Sent<T> = T extends readonly (infer E)[]
  ? readonly Sent<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Sent<T[K]> }
    : T;
