import type { AuditDetail, AuditEntry, AuditQuery, AuditRecords } from "../audit/audit.ts";
import { isRecord, parseJson } from "../json/parse.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly id: number;
  readonly at: number;
  readonly who: string;
  readonly address: string | null;
  readonly what: string;
  readonly about: string | null;
  readonly detail: string;
}

/**
 * Creates the records of what operators did. Their number is bounded by `AuditTrail`. A write also survives a crash of the
 * machine.
 */
export function createAuditRows({ db, writes }: Store): AuditRecords {
  const last = db.prepare<{ readonly id: number | null }, []>("SELECT max(id) AS id FROM audit");
  const save = db.prepare<void, [number, number, string, string | null, string, string | null, string]>(
    "INSERT INTO audit (id, at, who, address, what, about, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const find = db.prepare<Row, Record<string, number | string | null>>(
    `SELECT id, at, who, address, what, about, detail FROM audit
     WHERE ($before IS NULL OR id < $before) AND ($who IS NULL OR who = $who) AND ($what IS NULL OR what = $what)
       AND ($about IS NULL OR about = $about)
     ORDER BY id DESC LIMIT $limit`,
  );
  const remove = db.prepare<void, [number, number]>("DELETE FROM audit WHERE at < ? OR id <= ?");
  return {
    lastId: () => last.get()?.id ?? 0,
    read: ({ before, who, what, about, limit }: AuditQuery) =>
      find
        .all({ before: before ?? null, who: who ?? null, what: what ?? null, about: about ?? null, limit })
        .map(toEntry),
    add({ id, at, who, address, what, about, detail }) {
      const values = [id, at, who, address ?? null, what, about ?? null, JSON.stringify(detail ?? {})] as const;
      writes.write(`audit ${id}`, () => save.run(...values));
      writes.flush();
    },
    prune: (before, upToId) => writes.write("audit prune", () => remove.run(before, upToId)),
  };
}

function toEntry({ id, at, who, address, what, about, detail }: Row): AuditEntry {
  const parsed = parseJson(detail);
  const known = isRecord(parsed) ? (parsed as AuditDetail) : {}; // written by `add`, or by a newer version
  return { id, at, who, address: address ?? undefined, what, about: about ?? undefined, detail: known };
}
