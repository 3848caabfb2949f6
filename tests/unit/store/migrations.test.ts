import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createOwnerRows } from "../../../src/store/owner-rows.ts";
import { createRestrictionRows } from "../../../src/store/restriction-rows.ts";
import { migrate } from "../../../src/store/schema.ts";
import { createSecretRow } from "../../../src/store/secret-row.ts";
import { createSignOutRows } from "../../../src/store/sign-out-rows.ts";
import { openStore } from "../../../src/store/store.ts";
import { createUsageRows } from "../../../src/store/usage-rows.ts";
import { silentLog } from "../../../src/system/log.ts";
import { usageCell } from "../../contract/usage-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Stores of released schemas. `record.ts` has made them with the code of their time. */
const FIXTURES = join(import.meta.dir, "../../fixtures/store");

const schemaOf = (db: Database): unknown[] =>
  db.query("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name").values();

describe.each(readdirSync(FIXTURES))("a store that was left as %s", (file) => {
  test("is brought to the schema of this version, with all that it held", () => {
    const directory = temporaryDirectory();
    const path = join(directory.path, "moorage.db");
    copyFileSync(join(FIXTURES, file), path);
    chmodSync(path, 0o600);
    const before = new Database(path, { readonly: true });
    const secret = before.query("SELECT value FROM secret").values()[0]?.[0];
    before.close();

    const store = openStore(directory.path, { clock: new FakeClock(), log: silentLog });
    const fresh = new Database(":memory:");
    migrate(fresh, "fresh");
    expect(schemaOf(store.db)).toEqual(schemaOf(fresh));
    expect(createOwnerRows(store, "llm").load()).toEqual([
      { id: "attic", owner: "key:0123456789abcdef", isMade: false, leftAt: 1_795_780_800_000 },
    ]);
    expect(createRestrictionRows(store, "llm").load()).toEqual([
      { kind: "blocked", workerId: "cellar", workerName: "Cellar", by: "admin-key:1", since: 1_795_780_800_001 },
    ]);
    expect(createSignOutRows(store).load()).toEqual([{ id: "sign-in-1", endsAt: 1_795_780_800_002 }]);
    expect(createSecretRow(store).current()).toBe(String(secret));
    expect(createUsageRows(store).add([usageCell(0, "k")])).toBe(true);
    store.close();
    directory.remove();
  });
});
