import type { Restriction, RestrictionRecords } from "../plugin/restrictions.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly kind: string;
  readonly worker_id: string;
  readonly worker_name: string | null;
  readonly imposed_by: string;
  readonly imposed_at: number;
}

/**
 * Creates the records of one plugin's drained and blocked worker ids. Their number is bounded by `Restrictions`. Operators
 * write them, so a write is also made to survive a crash of the machine.
 */
export function createRestrictionRows({ db, writes }: Store, pluginId: string): RestrictionRecords {
  const all = db.prepare<Row, [string]>(
    `SELECT kind, worker_id, worker_name, imposed_by, imposed_at FROM worker_restriction
     WHERE plugin = ? ORDER BY imposed_at`,
  );
  const save = db.prepare<void, [string, string, string, string | null, string, number]>(
    `INSERT OR REPLACE INTO worker_restriction (plugin, kind, worker_id, worker_name, imposed_by, imposed_at)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare<void, [string, string, string]>(
    "DELETE FROM worker_restriction WHERE plugin = ? AND kind = ? AND worker_id = ?",
  );
  const write = (kind: string, id: string, run: () => void): void => {
    writes.write(`restriction ${pluginId} ${kind} ${id}`, run);
    writes.flush();
  };
  return {
    load: () => all.all(pluginId).flatMap(toRestriction),
    save: ({ kind, workerId, workerName, by, since }) =>
      write(kind, workerId, () => save.run(pluginId, kind, workerId, workerName ?? null, by, since)),
    remove: (kind, workerId) => write(kind, workerId, () => remove.run(pluginId, kind, workerId)),
  };
}

function toRestriction({ kind, worker_id, worker_name, imposed_by, imposed_at }: Row): readonly Restriction[] {
  if (kind !== "drained" && kind !== "blocked") return [];
  return [{ kind, workerId: worker_id, workerName: worker_name ?? undefined, by: imposed_by, since: imposed_at }];
}
