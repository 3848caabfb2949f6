import { join } from "node:path";
import { createOwnerRows } from "../../../src/store/owner-rows.ts";
import { createRestrictionRows } from "../../../src/store/restriction-rows.ts";
import { createSecretRow } from "../../../src/store/secret-row.ts";
import { createSignOutRows } from "../../../src/store/sign-out-rows.ts";
import { openStore } from "../../../src/store/store.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { silentLog } from "../../../src/system/log.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

// Makes a store of this version's schema for `migrations.test.ts` of later versions: `bun tests/unit/store/record.ts`. Run it
// when a version with a new schema is released, and add rows of its new tables first. Files of earlier schemas stay.

const directory = temporaryDirectory();
const store = openStore(directory.path, { clock: systemClock, log: silentLog });
const owned = { id: "attic", owner: "key:0123456789abcdef", isMade: false, leftAt: 1_795_780_800_000 };
createOwnerRows(store, "llm").save(owned);
createRestrictionRows(store, "llm").save({
  kind: "blocked",
  workerId: "cellar",
  workerName: "Cellar",
  by: "admin-key:1",
  since: 1_795_780_800_001,
});
createSignOutRows(store).save({ id: "sign-in-1", endsAt: 1_795_780_800_002 });
createSecretRow(store).current();
const version = String(store.db.query("PRAGMA user_version").values()[0]?.[0]);
const path = join(import.meta.dir, "../../fixtures/store", `schema-${version}.db`);
store.db.run("VACUUM INTO ?", [path]);
store.close();
directory.remove();
console.log(path);
