import { isRecord } from "../json/parse.ts";
import { placeInFile } from "./file-place.ts";
import type { TenantEntry } from "./tenant-entry.ts";
import { readTenantName, readTenantSpec } from "./tenant-spec.ts";

/** The tenants that a file lists, or everything that is wrong with them. Faults repeat no values. */
export type TenantsText =
  | { readonly ok: true; readonly entries: readonly TenantEntry[] }
  | { readonly ok: false; readonly faults: readonly string[] };

/** The most tenants of a file. */
const MAX_TENANTS = 10_000;

/** Reads the mapping `tenants` of `KEYS_FILE`, from names to limits. `now` is in milliseconds since 1970. */
export function readTenants(value: unknown, now: number): TenantsText {
  if (value === undefined || value === null) return { ok: true, entries: [] };
  if (!isRecord(value)) return { ok: false, faults: ["'tenants' must be a mapping from names to limits"] };
  const listed = Object.entries(value);
  if (listed.length > MAX_TENANTS) return { ok: false, faults: [`the file has more than ${MAX_TENANTS} tenants`] };
  const faults: string[] = [];
  const entries = new Map<string, TenantEntry>();
  for (const [index, [given, limits]] of listed.entries()) {
    const place = placeInFile("tenant", index, given);
    const name = readTenantName(given);
    const read = readTenantSpec({ limits });
    if (!name.ok) faults.push(`${place}: ${name.message}`);
    else if (!read.ok) faults.push(`${place}: ${read.message}`);
    else if (entries.has(name.value)) faults.push(`${place}: it has the same name as another tenant`);
    else
      entries.set(name.value, {
        name: name.value,
        limits: read.value,
        source: "file",
        changedAt: now,
        changedBy: "KEYS_FILE",
      });
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, entries: [...entries.values()] };
}
