import { describe, expect, test } from "bun:test";
import { type AuditRecords, AuditTrail } from "../../../src/audit/audit.ts";
import { createMemoryAudit } from "../../../src/audit/memory-audit.ts";
import { createAuditRows } from "../../../src/store/audit-rows.ts";
import { openStore } from "../../../src/store/store.ts";
import { silentLog } from "../../../src/system/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

function stored() {
  const directory = temporaryDirectory();
  const open = () => openStore(directory.path, { clock: new FakeClock(), log: silentLog });
  let store = open();
  return {
    records: () => createAuditRows(store),
    reopen(): void {
      store.close();
      store = open();
    },
    stop(): void {
      store.close();
      directory.remove();
    },
  };
}

function check(records: AuditRecords): void {
  const clock = new FakeClock();
  const trail = new AuditTrail(clock, records);
  trail.note({ who: "admin-key:1", address: "192.0.2.7", what: "sign_in" });
  clock.advance(5);
  trail.note({ who: "role:ops", what: "worker.drain", about: "w", detail: { plugins: "llm", outcome: "done" } });
  trail.note({ who: "admin-key:1", what: "worker.block", about: "v" });
  const ids = (query: object = {}): number[] => trail.read({ limit: 10, ...query }).map(({ id }) => id);
  expect(trail.read({ limit: 1, before: 3 })).toEqual([
    {
      id: 2,
      at: clock.now(),
      who: "role:ops",
      address: undefined,
      what: "worker.drain",
      about: "w",
      detail: { plugins: "llm", outcome: "done" },
    },
  ]);
  expect(ids()).toEqual([3, 2, 1]);
  expect(ids({ who: "admin-key:1" })).toEqual([3, 1]);
  expect(ids({ what: "sign_in" })).toEqual([1]);
  expect(ids({ about: "v", before: 3 })).toEqual([]);
}

describe("the trail of operators", () => {
  test("is read by page, caller, kind and target, from memory", () => check(createMemoryAudit()));

  test("is read by page, caller, kind and target, from the store", () => {
    const rig = stored();
    check(rig.records());
    rig.stop();
  });

  test("goes on after a restart with the next number", () => {
    const rig = stored();
    new AuditTrail(new FakeClock(), rig.records()).note({ who: "a", what: "sign_in" });
    rig.reopen();
    const trail = new AuditTrail(new FakeClock(), rig.records());
    trail.note({ who: "b", what: "sign_in" });
    expect(trail.read({ limit: 5 }).map(({ id, who }) => [id, who])).toEqual([
      [2, "b"],
      [1, "a"],
    ]);
    rig.stop();
  });

  test("forgets what is older than 13 months, and in memory all but the last thousand entries", () => {
    const rig = stored();
    const clock = new FakeClock();
    const trail = new AuditTrail(clock, rig.records());
    for (let note = 0; note < 150; note += 1) trail.note({ who: "a", what: "sign_in" });
    clock.advance(397 * 86_400_000);
    for (let note = 0; note < 60; note += 1) trail.note({ who: "b", what: "sign_in" });
    expect(trail.read({ limit: 1000 })).toHaveLength(60);
    rig.stop();

    const inMemory = new AuditTrail(clock, createMemoryAudit());
    for (let note = 0; note < 1200; note += 1) inMemory.note({ who: "a", what: "sign_in" });
    expect(inMemory.read({ limit: 5000 })).toHaveLength(1000);
  });

  test("cuts texts that are too long", () => {
    const trail = new AuditTrail(new FakeClock(), createMemoryAudit());
    trail.note({ who: "a".repeat(300), what: "job.cancel", about: "b".repeat(300) });
    expect(trail.read({ limit: 1 })).toMatchObject([{ who: "a".repeat(256), about: "b".repeat(256) }]);
  });
});
