import type { SignOutRecords } from "../auth/sign-outs.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly id: string;
  readonly ends_at: number;
}

/**
 * Creates the records of sign-ins that were ended early. Their number is bounded by `SignOuts`. A write also survives a crash
 * of the machine, because an ended sign-in must not become valid again.
 */
export function createSignOutRows({ db, writes }: Store): SignOutRecords {
  const all = db.prepare<Row, []>("SELECT id, ends_at FROM sign_out");
  const save = db.prepare<void, [string, number]>("INSERT OR REPLACE INTO sign_out (id, ends_at) VALUES (?, ?)");
  const remove = db.prepare<void, [string]>("DELETE FROM sign_out WHERE id = ?");
  const record = (id: string): string => `sign-out ${id}`;
  return {
    load: () => all.all().map(({ id, ends_at }) => ({ id, endsAt: ends_at })),
    save({ id, endsAt }) {
      writes.write(record(id), () => save.run(id, endsAt));
      writes.flush();
    },
    remove: (id) => writes.write(record(id), () => remove.run(id)),
  };
}
