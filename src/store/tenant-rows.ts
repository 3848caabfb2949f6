import { parseJson } from "../json/parse.ts";
import { parseTenantEntry } from "../keys/tenant-entry.ts";
import type { TenantRecords } from "../keys/tenant-records.ts";
import type { Store } from "./store.ts";

/**
 * Creates the records of tenants' limits, of which the tenant book bounds the number. Operators write them, so a write also
 * survives a crash of the machine.
 */
export function createTenantRows({ db, writes }: Store): TenantRecords {
  const all = db.prepare<{ readonly entry: string }, []>("SELECT entry FROM tenant ORDER BY name");
  const save = db.prepare<void, [string, string]>("INSERT OR REPLACE INTO tenant (name, entry) VALUES (?, ?)");
  const remove = db.prepare<void, [string]>("DELETE FROM tenant WHERE name = ?");
  const write = (name: string, run: () => void): void => {
    writes.write(`tenant ${name}`, run);
    writes.flush();
  };
  return {
    load: () => all.all().flatMap(({ entry }) => parseTenantEntry(parseJson(entry)) ?? []),
    put: (entry) => write(entry.name, () => save.run(entry.name, JSON.stringify(entry))),
    remove: (name) => write(name, () => remove.run(name)),
  };
}
