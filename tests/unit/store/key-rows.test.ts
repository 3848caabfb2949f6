import { expect, test } from "bun:test";
import type { KeyEntry } from "../../../src/keys/key-entry.ts";
import { createKeyRows } from "../../../src/store/key-rows.ts";
import { openStore } from "../../../src/store/store.ts";
import { silentLog } from "../../../src/system/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const FIRST: KeyEntry = {
  id: "7f3kq2m9x0ab",
  kind: "client",
  source: "made",
  name: "ci",
  models: ["qwen*"],
  limits: { parallel: 4, timezone: "Asia/Kolkata", onLimit: "refuse" },
  secret: { hash: "a".repeat(64), hint: "mk_7f3k…", madeAt: 5, operation: "once" },
  former: [{ hash: "b".repeat(64), hint: "mk_7f3k…", madeAt: 3, validUntil: 9 }],
  revision: 1,
  createdAt: 3,
  createdBy: "admin-key:1",
};
const SECOND: KeyEntry = { ...FIRST, id: "0aaaaaaaaaaa", name: "late", createdAt: 4, expiresAt: 99 };

function setUp() {
  const directory = temporaryDirectory();
  const open = () => openStore(directory.path, { clock: new FakeClock(), log: silentLog });
  let store = open();
  return {
    rows: () => createKeyRows(store),
    reopen(): void {
      store.close();
      store = open();
    },
    spoil: (): void => void store.db.run("UPDATE key SET entry = '{}' WHERE id = ?", [FIRST.id]),
    stop(): void {
      store.close();
      directory.remove();
    },
  };
}

test("keys are there when the store is opened again, the oldest first, each as it was put last", () => {
  const rig = setUp();
  rig.rows().put(SECOND);
  rig.rows().put(FIRST);
  const revoked: KeyEntry = { ...FIRST, revision: 2, revokedAt: 7, revokedBy: "cli" };
  rig.rows().put(revoked);
  rig.rows().put({ ...SECOND, id: "removed" });
  rig.rows().remove("removed");
  rig.reopen();
  expect(rig.rows().load()).toEqual([revoked, SECOND]);
  rig.stop();
});

test("the last use of a key is kept, and a later change of the key does not set it back", () => {
  const rig = setUp();
  rig.rows().put({ ...FIRST, lastUsedAt: 50 });
  rig.rows().used(FIRST.id, 60);
  rig.rows().used("no-such-key", 60);
  rig.rows().put({ ...FIRST, lastUsedAt: 50, name: "other" });
  rig.reopen();
  expect(rig.rows().load()).toEqual([{ ...FIRST, lastUsedAt: 60, name: "other" }]);
  rig.stop();
});

test("an entry that cannot be read is left out, and the others are there", () => {
  const rig = setUp();
  rig.rows().put(FIRST);
  rig.rows().put(SECOND);
  rig.spoil();
  rig.reopen();
  const rows = rig.rows();
  expect([rows.load(), rows.unreadable?.()]).toEqual([[SECOND], 1]);
  rig.stop();
});
