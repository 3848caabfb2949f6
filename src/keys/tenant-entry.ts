import * as v from "valibot";
import { type KeyLimits, keptTerms } from "./key-terms.ts";

/** The limits that all keys of a tenant share. */
export interface TenantEntry {
  /** The name by which keys name the tenant. */
  readonly name: string;
  readonly limits: KeyLimits;
  /** `file`: the tenant is listed in `KEYS_FILE`, and is changed only there. */
  readonly source: "made" | "file";
  /** Milliseconds since 1970. */
  readonly changedAt: number;
  /** The name of the caller who set the limits: `admin-key:1`, `cli`, or `KEYS_FILE`. */
  readonly changedBy: string;
}

const tenantEntrySchema = v.object({
  name: v.string(),
  limits: keptTerms.limits,
  source: v.picklist(["made", "file"]),
  changedAt: v.number(),
  changedBy: v.string(),
} satisfies Record<keyof TenantEntry, v.GenericSchema>);

/** Returns the entry in a stored value; undefined if the value is not one. */
export function parseTenantEntry(value: unknown): TenantEntry | undefined {
  const read = v.safeParse(tenantEntrySchema, value);
  return read.success ? read.output : undefined;
}
