import type { OwnedId, OwnerRecords } from "../tunnel/owners.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly worker_id: string;
  readonly owner: string;
  readonly is_made: number;
  readonly left_at: number | null;
}

/** Creates the records of the owners of one plugin's worker ids. Their number is bounded by `IdOwners`. */
export function createOwnerRows({ db, writes }: Store, pluginId: string): OwnerRecords {
  const all = db.prepare<Row, [string]>(
    "SELECT worker_id, owner, is_made, left_at FROM worker_owner WHERE plugin = ? ORDER BY left_at NULLS LAST",
  );
  const save = db.prepare<void, [string, string, string, number, number | null]>(
    `INSERT INTO worker_owner (plugin, worker_id, owner, is_made, left_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (plugin, worker_id) DO UPDATE SET owner = excluded.owner, is_made = excluded.is_made, left_at = excluded.left_at`,
  );
  const remove = db.prepare<void, [string, string]>("DELETE FROM worker_owner WHERE plugin = ? AND worker_id = ?");
  const record = (id: string): string => `owner ${pluginId} ${id}`;
  return {
    load: () => all.all(pluginId).map(toOwnedId),
    save: ({ id, owner, isMade, leftAt }) =>
      writes.write(record(id), () => save.run(pluginId, id, owner, isMade ? 1 : 0, leftAt ?? null)),
    remove: (id) => writes.write(record(id), () => remove.run(pluginId, id)),
  };
}

function toOwnedId({ worker_id, owner, is_made, left_at }: Row): OwnedId {
  return { id: worker_id, owner, isMade: is_made === 1, leftAt: left_at ?? undefined };
}
