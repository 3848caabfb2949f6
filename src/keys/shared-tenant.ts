import * as v from "valibot";
import { parseJson } from "../json/parse.ts";
import { areTermsInBounds, isKeptName } from "./kept-bounds.ts";
import { callerField, timeField } from "./shared-fields.ts";
import { parseTenantEntry, type TenantEntry } from "./tenant-entry.ts";

// The limits of a tenant as the servers of a cluster share them. What is read is checked against bounds.

const boundsSchema = v.object({ source: v.literal("made"), changedAt: timeField, changedBy: callerField });

/** Returns an entry as text. Equal entries are equal texts. */
export function sharedTenantText(entry: TenantEntry): string {
  return JSON.stringify(parseTenantEntry(entry) ?? entry);
}

/** Reads the entry of the tenant with this name; undefined for a text that is none. */
export function readSharedTenant(name: string, text: string): TenantEntry | undefined {
  const entry = parseTenantEntry(parseJson(text));
  if (entry?.name !== name || !v.is(boundsSchema, entry)) return undefined;
  const isInBounds = isKeptName(name) && areTermsInBounds("client", { name, limits: entry.limits });
  return isInBounds ? entry : undefined;
}
