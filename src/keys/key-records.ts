import type { KeyEntry } from "./key-entry.ts";

/** Keeps made keys beyond the life of the process. Methods MUST NOT throw if a write fails. */
export interface KeyRecords {
  /** Returns all entries, the oldest first. Called once, before anything else. */
  load(): readonly KeyEntry[];
  /** Returns how many entries `load` has left out because this version cannot read them. Absent if it reads them all. */
  unreadable?(): number;
  /**
   * Keeps an entry in place of an earlier one with its id. It MUST survive a crash of the machine, because a revoked key must
   * not become valid again.
   */
  put(entry: KeyEntry): void;
  /** Forgets the entry with this id. Does nothing if there is none. */
  remove(id: string): void;
  /** Notes when a key was last used. Called at most once a minute for each key; a crash may lose it. */
  used(id: string, at: number): void;
}

/** Creates records that are lost at the end of the process, for a server without `DATA_DIR`. */
export function createMemoryRecords(entries: Iterable<KeyEntry> = []): KeyRecords {
  const byId = new Map(Array.from(entries, (entry) => [entry.id, entry]));
  return {
    load: () => [...byId.values()],
    put: (entry) => void byId.set(entry.id, entry),
    remove: (id) => void byId.delete(id),
    used(id, at) {
      const entry = byId.get(id);
      if (entry) byId.set(id, { ...entry, lastUsedAt: at });
    },
  };
}
