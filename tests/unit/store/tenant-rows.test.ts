import { expect, test } from "bun:test";
import type { TenantEntry } from "../../../src/keys/tenant-entry.ts";
import { openStore } from "../../../src/store/store.ts";
import { createTenantRows } from "../../../src/store/tenant-rows.ts";
import { silentLog } from "../../../src/system/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const RESEARCH: TenantEntry = {
  name: "research",
  limits: { parallel: 8, tokensPerDay: 5_000_000, timezone: "Europe/Berlin", onLimit: "refuse" },
  source: "made",
  changedAt: 5,
  changedBy: "admin-key:1",
};

test("the limits of tenants survive a restart, and removed ones do not come back", () => {
  const directory = temporaryDirectory();
  const open = () => openStore(directory.path, { clock: new FakeClock(), log: silentLog });
  let store = open();
  const rows = createTenantRows(store);
  rows.put(RESEARCH);
  rows.put({ ...RESEARCH, name: "art" });
  rows.put({ ...RESEARCH, limits: { parallel: 9 } });
  rows.remove("art");
  rows.remove("nobody");
  store.close();
  store = open();
  expect(createTenantRows(store).load()).toEqual([{ ...RESEARCH, limits: { parallel: 9 } }]);
  store.db.run("UPDATE tenant SET entry = '{\"name\": 1}'");
  expect(createTenantRows(store).load()).toEqual([]);
  store.close();
  directory.remove();
});
