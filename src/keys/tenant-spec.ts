import * as v from "valibot";
import type { KeyLimits } from "./key-terms.ts";
import { limitFields, limitsSchema, toLimits } from "./limit-spec.ts";
import { type Read, wrong } from "./spec-faults.ts";
import { nameField } from "./spec-fields.ts";

export const tenantSpecSchema = v.strictObject({ limits: limitsSchema }, "an object with 'limits'");

const FIELDS = { what: "tenant", outer: ["limits"], inner: Object.keys(limitFields) };
const NONE = "'limits' must have at least one limit.";

/** Reads a request for the limits of a tenant, `{limits: …}`. At least one of them must bound something. */
export function readTenantSpec(value: unknown): Read<KeyLimits> {
  const read = v.safeParse(tenantSpecSchema, value);
  if (!read.success) return wrong(read.issues[0], FIELDS);
  const limits = toLimits(read.output.limits);
  const { timezone: _zone, onLimit: _onLimit, ...bounds } = limits;
  const isBounded = Object.values(bounds).some((bound) => bound !== undefined);
  return isBounded ? { ok: true, value: limits } : { ok: false, param: "limits", message: NONE };
}

/** Reads the name of a tenant, as keys name it. */
export function readTenantName(value: unknown): Read<string> {
  const read = v.safeParse(nameField, value);
  if (read.success) return { ok: true, value: read.output };
  return { ok: false, param: "tenant", message: `The name of a tenant must be ${read.issues[0].message}.` };
}
