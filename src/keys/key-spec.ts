import * as v from "valibot";
import { Fault } from "../errors.ts";
import { nearest } from "../settings/nearest.ts";
import { cleanText } from "../wire/clean-text.ts";
import { type KeyKind, KIND_NAMES } from "./key-entry.ts";
import type { KeyLimits, KeyTerms } from "./key-terms.ts";
import {
  amountField,
  globsField,
  headerField,
  nameField,
  removable,
  tenantsField,
  timeField,
  weightField,
  zoneField,
} from "./spec-fields.ts";

/** A key that somebody asks for. */
export interface KeySpec {
  readonly kind: KeyKind;
  readonly terms: KeyTerms;
}

/** What a change sets; a member that is undefined is taken away, and one that is absent stays as it is. */
export interface KeyPatch {
  readonly terms: Partial<Omit<KeyTerms, "limits">>;
  readonly limits: Partial<KeyLimits>;
}

/** The parsed request, or the field that is wrong, with a sentence that says what it must be. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly param: string | undefined; readonly message: string };

const MAX_JOBS = 100_000;
const MAX_RATE = 1_000_000;
/** More than all keys of a server use in a year. */
const MAX_TOKENS = 1e15;
const MAX_SECONDS = 1e10;
/** The most characters of a field's name in an error. */
const MAX_PARAM_CHARS = 128;
const FIELD_NAME = /^[a-z_-]{1,40}$/i;
/** A worker's own bound is far below. */
const MAX_SLOTS = 100_000;

const tokens = removable(amountField(1, MAX_TOKENS));
const seconds = removable(amountField(1, MAX_SECONDS));

const limitFields = {
  parallel: removable(amountField(1, MAX_JOBS)),
  max_waiting: removable(amountField(0, MAX_JOBS)),
  requests_per_minute: removable(amountField(1, MAX_RATE)),
  tokens_per_minute: tokens,
  tokens_per_day: tokens,
  tokens_per_week: tokens,
  tokens_per_month: tokens,
  audio_seconds_per_day: seconds,
  audio_seconds_per_week: seconds,
  audio_seconds_per_month: seconds,
  timezone: removable(zoneField),
  on_limit: removable(v.picklist(["wait", "refuse"], "wait or refuse")),
};

const fields = {
  tenant: removable(nameField),
  models: removable(globsField),
  limits: removable(v.strictObject(limitFields, "a mapping of limits")),
  weight: removable(weightField),
  class: removable(v.picklist(["interactive", "normal", "background"], "interactive, normal or background")),
  user_header: removable(headerField),
  prefer: removable(v.literal("own", "own")),
  tenants: removable(tenantsField),
  max_slots: removable(amountField(1, MAX_SLOTS)),
  max_uses: removable(amountField(1, MAX_RATE)),
  expires_at: removable(timeField),
};

const KINDS = ["client", "worker", "admin", "join"] as const;
export const keySpecSchema = v.strictObject(
  { ...fields, name: nameField, kind: v.optional(v.picklist(KINDS, "client, worker, admin or join"), "client") },
  "an object",
);
export const keyPatchSchema = v.strictObject({ ...fields, name: v.optional(nameField) }, "an object");

type Given = v.InferOutput<typeof keyPatchSchema>;
type GivenLimits = NonNullable<Given["limits"]>;
type Field = keyof typeof fields;

/** The kinds of key for which a field means something. The others have `name` and `expires_at` alone. */
const MEANT_FOR: Readonly<Partial<Record<Field, readonly KeyKind[]>>> = {
  tenant: ["client"],
  models: ["client", "worker", "join"],
  limits: ["client"],
  weight: ["client"],
  class: ["client"],
  user_header: ["client"],
  prefer: ["client"],
  tenants: ["worker", "join"],
  max_slots: ["worker", "join"],
  max_uses: ["join"],
};

/** Reads a request for a key. */
export function readKeySpec(value: unknown): Read<KeySpec> {
  const read = v.safeParse(keySpecSchema, value);
  if (!read.success) return wrong(read.issues[0]);
  const { kind, name, ...rest } = read.output;
  const misplaced = findMisplaced(rest, kind);
  if (misplaced) return misplaced;
  const { terms, limits } = toPatch(rest);
  return { ok: true, value: { kind, terms: { ...terms, name, limits } } };
}

/** Reads a change of a key of this kind. */
export function readKeyPatch(value: unknown, kind: KeyKind): Read<KeyPatch> {
  const read = v.safeParse(keyPatchSchema, value);
  if (!read.success) return wrong(read.issues[0]);
  return findMisplaced(read.output, kind) ?? { ok: true, value: toPatch(read.output) };
}

/** Returns the error for a request that could not be read. */
export function specFault({ param, message }: { readonly param: string | undefined; readonly message: string }): Fault {
  return new Fault("invalid_request", { message, ...(param !== undefined && { param }) });
}

function findMisplaced(given: Given, kind: KeyKind): Read<never> | undefined {
  for (const [field, kinds] of Object.entries(MEANT_FOR)) {
    if (kinds.includes(kind) || given[field as Field] == null) continue; // the keys of MEANT_FOR are fields
    const who = kinds.map((each) => KIND_NAMES[each]).join(" or ");
    return { ok: false, param: field, message: `'${field}' does not apply to ${KIND_NAMES[kind]}, only to ${who}.` };
  }
  return undefined;
}

function toPatch(given: Given): KeyPatch {
  const { limits, ...rest } = given;
  const terms = {
    name: rest.name,
    tenant: rest.tenant,
    models: rest.models,
    weight: rest.weight,
    class: rest.class,
    userHeader: rest.user_header,
    prefer: rest.prefer,
    tenants: rest.tenants,
    maxSlots: rest.max_slots,
    maxUses: rest.max_uses,
    expiresAt: rest.expires_at,
  };
  // A null for the limits as a whole takes each of them away.
  const all = limits === null ? NO_LIMITS : (limits ?? {});
  return { terms: changes(terms), limits: changes(toLimits(all)) };
}

const NO_LIMITS: GivenLimits = {
  parallel: null,
  max_waiting: null,
  requests_per_minute: null,
  tokens_per_minute: null,
  tokens_per_day: null,
  tokens_per_week: null,
  tokens_per_month: null,
  audio_seconds_per_day: null,
  audio_seconds_per_week: null,
  audio_seconds_per_month: null,
  timezone: null,
  on_limit: null,
};

function toLimits(given: GivenLimits) {
  return {
    parallel: given.parallel,
    maxWaiting: given.max_waiting,
    requestsPerMinute: given.requests_per_minute,
    tokensPerMinute: given.tokens_per_minute,
    tokensPerDay: given.tokens_per_day,
    tokensPerWeek: given.tokens_per_week,
    tokensPerMonth: given.tokens_per_month,
    audioSecondsPerDay: given.audio_seconds_per_day,
    audioSecondsPerWeek: given.audio_seconds_per_week,
    audioSecondsPerMonth: given.audio_seconds_per_month,
    timezone: given.timezone,
    onLimit: given.on_limit,
  };
}

type Change<T> = { readonly [K in keyof T]?: Exclude<T[K], null> };

/** Leaves out what was not given, and turns null into undefined. */
function changes<T extends object>(given: T): Change<T> {
  const kept = Object.entries(given).flatMap(([key, value]) => {
    return value === undefined ? [] : [[key, value ?? undefined] as const];
  });
  return Object.fromEntries(kept) as Change<T>; // the same keys, without null
}

/** Says in one sentence what is wrong. It repeats the names of fields, and never a value. */
function wrong(issue: v.BaseIssue<unknown>): Read<never> {
  const path = issue.path?.map(({ key }) => cleanText(String(key))) ?? [];
  const param = path.join(".").slice(0, MAX_PARAM_CHARS);
  if (issue.type === "strict_object" && issue.expected === "never") return unknownField(path, param);
  if (path.length === 0) return { ok: false, param: undefined, message: `The key must be ${issue.message}.` };
  if (issue.input === undefined) return { ok: false, param, message: `'${param}' is missing.` };
  return { ok: false, param, message: `'${param}' must be ${issue.message}.` };
}

function unknownField(path: readonly string[], param: string): Read<never> {
  if (param === "kind") return { ok: false, param, message: "'kind' cannot be changed. Create another key instead." };
  // A key that was pasted into the wrong place must not reach the log. Names of fields have no digits, and keys do.
  if (!path.every((name) => FIELD_NAME.test(name)))
    return { ok: false, param: undefined, message: "One of its fields is not a field of a key." };
  const known = path.length === 1 ? ["name", "kind", ...Object.keys(fields)] : Object.keys(limitFields);
  const near = nearest(path.at(-1) ?? "", known);
  const hint = near ? `; did you mean '${near}'?` : ".";
  return { ok: false, param, message: `'${param}' is not a field of a key${hint}` };
}
