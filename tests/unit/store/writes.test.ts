import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { Writes } from "../../../src/store/writes.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { inboxLog } from "../../support/inbox-log.ts";

function setUp() {
  const clock = new FakeClock();
  const { log, lines } = inboxLog();
  const written: string[] = [];
  let isBroken = false;
  const writes = new Writes(new Database(":memory:"), { clock, log });
  const write = (record: string, value: string): void =>
    writes.write(record, () => {
      if (isBroken) throw Object.assign(new Error("disk"), { code: "SQLITE_FULL" });
      written.push(value);
    });
  const setBroken = (to: boolean): void => {
    isBroken = to;
  };
  return { clock, lines, written, writes, write, setBroken };
}

test("a write that fails is repeated until it succeeds, and is logged once", async () => {
  const { clock, lines, written, writes, write, setBroken } = setUp();
  write("a", "a1");
  setBroken(true);
  write("a", "a2");
  write("b", "b1");
  write("a", "a3");
  expect(writes.areFailing).toBe(true);
  clock.advance(10_000);
  expect(written).toEqual(["a1"]);
  setBroken(false);
  clock.advance(10_000);
  expect(written).toEqual(["a1", "b1", "a3"]);
  expect(writes.areFailing).toBe(false);
  expect(clock.pending).toBe(0);
  expect(await lines.take("the failure")).toMatchObject({ event: "store.write_failed", reason: "SQLITE_FULL" });
  expect(await lines.take("the recovery")).toMatchObject({ event: "store.write_recovered", records: 2 });
});

test("what has failed is tried once more at the end", () => {
  const { clock, written, writes, write, setBroken } = setUp();
  setBroken(true);
  write("a", "a1");
  setBroken(false);
  writes.stop();
  expect(written).toEqual(["a1"]);
  expect(clock.pending).toBe(0);
});

test("an attempt whose caller tries again is logged once when it fails, and once when it has succeeded", async () => {
  const { lines, writes, write, setBroken, written, clock } = setUp();
  let isBroken = true;
  const attempt = (): boolean =>
    writes.attempt("usage", () => {
      if (isBroken) throw Object.assign(new Error("disk"), { code: "SQLITE_IOERR" });
    });
  expect([attempt(), attempt()]).toEqual([false, false]);
  expect(writes.areFailing).toBe(true);
  write("a", "a1");
  expect(written).toEqual(["a1"]);
  isBroken = false;
  expect(attempt()).toBe(true);
  expect(writes.areFailing).toBe(false);
  expect(await lines.take("the failure")).toMatchObject({ event: "store.write_failed", reason: "SQLITE_IOERR" });
  expect(await lines.take("the recovery")).toMatchObject({ event: "store.write_recovered" });
  setBroken(true);
  write("a", "a2");
  expect(await lines.take("the next failure")).toMatchObject({ event: "store.write_failed", reason: "SQLITE_FULL" });
  writes.stop();
  expect(clock.pending).toBe(0);
});
