import * as v from "valibot";
import { type KeyEntry, type KeyKind, KIND_NAMES } from "./key-entry.ts";
import { mcpFields, mcpSchema, NO_MCP, toMcp } from "./key-mcp.ts";
import type { KeyLimits, KeyMcp, KeyTerms } from "./key-terms.ts";
import { changes, limitFields, limitsSchema, MAX_RATE, NO_LIMITS, toLimits } from "./limit-spec.ts";
import { type Read, wrong } from "./spec-faults.ts";
import {
  amountField,
  globsField,
  headerField,
  nameField,
  removable,
  tenantsField,
  timeField,
  weightField,
} from "./spec-fields.ts";

/** A key that somebody asks for. */
export interface KeySpec {
  readonly kind: KeyKind;
  readonly terms: KeyTerms;
  /** What binds the key of a worker that joins. Nobody else can ask for it. */
  readonly bound?: Pick<KeyEntry, "workerId" | "otherIds" | "trade" | "replaces">;
}

/** What a change sets; a member that is undefined is removed, and one that is absent stays as it is. */
export interface KeyPatch {
  readonly terms: Partial<Omit<KeyTerms, "limits" | "mcp">>;
  readonly limits: Partial<KeyLimits>;
  readonly mcp?: Partial<KeyMcp>;
}

/** A worker's own bound is far below. */
const MAX_SLOTS = 100_000;

const fields = {
  tenant: removable(nameField),
  models: removable(globsField),
  limits: removable(limitsSchema),
  weight: removable(weightField),
  class: removable(v.picklist(["interactive", "normal", "background"], "interactive, normal or background")),
  mcp: removable(mcpSchema),
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
type Field = keyof typeof fields;

/** The kinds of key for which a field means something. The others have `name` and `expires_at` alone. */
const MEANT_FOR: Readonly<Partial<Record<Field, readonly KeyKind[]>>> = {
  tenant: ["client"],
  models: ["client", "worker", "join"],
  limits: ["client"],
  weight: ["client"],
  class: ["client"],
  mcp: ["client"],
  user_header: ["client"],
  prefer: ["client"],
  tenants: ["worker", "join"],
  max_slots: ["worker", "join"],
  max_uses: ["join"],
};

const FIELDS = {
  what: "key",
  outer: ["name", "kind", ...Object.keys(fields)],
  inner: [...Object.keys(limitFields), ...Object.keys(mcpFields)],
};

/** Reads a request for a key. */
export function readKeySpec(value: unknown): Read<KeySpec> {
  const read = v.safeParse(keySpecSchema, value);
  if (!read.success) return wrong(read.issues[0], FIELDS);
  const { kind, name, ...rest } = read.output;
  const misplaced = findMisplaced(rest, kind);
  if (misplaced) return misplaced;
  const { terms, limits, mcp } = toPatch(rest);
  // Nothing is to be removed of a key that does not exist yet.
  const isSet = mcp !== undefined && Object.values(mcp).some((each) => each !== undefined);
  return { ok: true, value: { kind, terms: { ...terms, name, limits, ...(isSet && { mcp }) } } };
}

/** Reads a change of a key of this kind. */
export function readKeyPatch(value: unknown, kind: KeyKind): Read<KeyPatch> {
  const read = v.safeParse(keyPatchSchema, value);
  if (!read.success) {
    if (isKind(read.issues[0]))
      return { ok: false, param: "kind", message: "'kind' cannot be changed. Create another key instead." };
    return wrong(read.issues[0], FIELDS);
  }
  return findMisplaced(read.output, kind) ?? { ok: true, value: toPatch(read.output) };
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
  const { limits, mcp, ...rest } = given;
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
  const ofRelays = toMcp(mcp === null ? NO_MCP : (mcp ?? {}));
  return {
    terms: changes(terms),
    limits: toLimits(all),
    ...(Object.keys(ofRelays).length > 0 && { mcp: ofRelays }),
  };
}

/** Whether a request names the kind of a key where no field of that name is. */
function isKind({ path, expected }: v.BaseIssue<unknown>): boolean {
  return expected === "never" && path?.length === 1 && path[0]?.key === "kind";
}
