import type { TenantEntry } from "./tenant-entry.ts";

/** Keeps the limits of tenants beyond the life of the process. Methods MUST NOT throw if a write fails. */
export interface TenantRecords {
  /** Returns all entries. Called once, before anything else. */
  load(): readonly TenantEntry[];
  /** Keeps an entry in place of an earlier one with its name. */
  put(entry: TenantEntry): void;
  /** Forgets the entry with this name. Does nothing if there is none. */
  remove(name: string): void;
  /** Tells the listener what other servers of a cluster change. Called once, after `load`. Absent for a server by itself. */
  watch?(listener: TenantRecordsListener): void;
}

export interface TenantRecordsListener {
  saved(entry: TenantEntry): void;
  removed(name: string): void;
}

/** Creates records that are lost at the end of the process, for a server without `DATA_DIR`. */
export function createMemoryTenants(entries: Iterable<TenantEntry> = []): TenantRecords {
  const byName = new Map(Array.from(entries, (entry) => [entry.name, entry]));
  return {
    load: () => [...byName.values()],
    put: (entry) => void byName.set(entry.name, entry),
    remove: (name) => void byName.delete(name),
  };
}
