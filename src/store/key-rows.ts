import { parseJson } from "../json/parse.ts";
import { type KeyEntry, parseKeyEntry } from "../keys/key-entry.ts";
import type { KeyRecords } from "../keys/key-records.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly entry: string;
  readonly last_used_at: number | null;
}

/**
 * Creates the records of made keys, of which the key book bounds the number. An entry holds hashes, never a key. Only
 * operators change entries, which is rare, so each write also survives a crash of the machine.
 */
export function createKeyRows({ db, writes }: Store): KeyRecords {
  const all = db.prepare<Row, []>("SELECT entry, last_used_at FROM key ORDER BY created_at, id");
  const save = db.prepare<void, [string, number, string, number | null]>(
    `INSERT INTO key (id, created_at, entry, last_used_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET entry = excluded.entry, last_used_at = max(coalesce(last_used_at, 0), coalesce(excluded.last_used_at, 0))`,
  );
  const remove = db.prepare<void, [string]>("DELETE FROM key WHERE id = ?");
  const use = db.prepare<void, [number, string]>(
    "UPDATE key SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?",
  );
  let unreadable = 0;
  return {
    load() {
      const rows = all.all();
      const entries = rows.flatMap((row) => toEntry(row) ?? []);
      unreadable = rows.length - entries.length;
      return entries;
    },
    unreadable: () => unreadable,
    put(entry) {
      const { id, createdAt, lastUsedAt = null } = entry;
      const text = JSON.stringify(entry);
      writes.write(`key ${id}`, () => save.run(id, createdAt, text, lastUsedAt));
      writes.flush();
    },
    remove(id) {
      writes.write(`key ${id}`, () => remove.run(id));
      writes.flush();
    },
    used: (id, at) => writes.write(`key use ${id}`, () => use.run(at, id)),
  };
}

function toEntry({ entry, last_used_at }: Row): KeyEntry | undefined {
  const parsed = parseKeyEntry(parseJson(entry));
  return parsed && (last_used_at ? { ...parsed, lastUsedAt: last_used_at } : parsed);
}
