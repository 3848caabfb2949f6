import type { OAuthKeep } from "../oauth/oauth-records.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly name: string;
  readonly value: string;
  readonly expires_at: number | null;
}

/**
 * Keeps the records of the authorization server; `MOST` limits how many. They hold hashes of codes and tokens, never the codes or
 * tokens. What was removed stays removed after a crash of the machine, because a grant that was revoked must not come back.
 */
export function createOAuthRows({ db, writes }: Store): OAuthKeep {
  // In the order in which they were first written, in which the oldest go if there are too many.
  const all = db.prepare<Row, []>("SELECT name, value, expires_at FROM oauth ORDER BY id");
  const save = db.prepare<void, [string, string, number | null]>(
    `INSERT INTO oauth (name, value, expires_at) VALUES (?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
  );
  const remove = db.prepare<void, [string]>("DELETE FROM oauth WHERE name = ?");
  const record = (name: string): string => `oauth ${name}`;
  return {
    load: () =>
      all.all().map(({ name, value, expires_at: expiresAt }) => ({ name, value, expiresAt: expiresAt ?? undefined })),
    save: ({ name, value, expiresAt }) => writes.write(record(name), () => save.run(name, value, expiresAt ?? null)),
    remove(name) {
      writes.write(record(name), () => remove.run(name));
      if (name.startsWith("grant:")) writes.flush();
    },
  };
}
