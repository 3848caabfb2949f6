import { expect, test } from "bun:test";
import { Allowances } from "../../../src/limits/allowances.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const NOTHING = { tokens: 0, audioSeconds: 0 };

function create(asked: string[] = []): Allowances {
  const usedSince = (keyId: string, resource: string): number => {
    asked.push(`${keyId} ${resource}`);
    return 10;
  };
  return new Allowances({ clock: new FakeClock(), usedSince });
}

test("a key with limits has an allowance of its own, and another key has none", () => {
  const allowances = create();
  allowances.set("a", { parallel: 1 });
  allowances.set("b", { parallel: 1 });
  allowances.set("c", { timezone: "Europe/Berlin", onLimit: "refuse" });
  allowances.of("a")?.occupy();
  expect([allowances.of("a")?.running, allowances.of("b")?.running]).toEqual([1, 0]);
  expect([allowances.of("c"), allowances.of("nobody")]).toEqual([undefined, undefined]);
});

test("a change of limits keeps what was counted", () => {
  const allowances = create();
  allowances.set("a", { parallel: 1 });
  const before = allowances.of("a");
  before?.occupy();
  allowances.set("a", { parallel: 2 });
  expect(allowances.of("a")).toBe(before);
  expect(allowances.of("a")?.running).toBe(1);
});

test("a job that began under limits which were taken away ends without a trace", () => {
  const allowances = create();
  allowances.set("a", { parallel: 1 });
  const allowance = allowances.of("a");
  allowance?.begin(NOTHING);
  const before = allowances.of("a");
  before?.occupy();
  allowances.set("a", {});
  expect(before?.full()).toBeUndefined();
  expect(allowances.of("a")).toBeUndefined();
  allowances.set("a", { parallel: 1 });
  allowance?.settle(NOTHING, NOTHING);
  before?.vacate();
  expect(allowances.of("a")?.running).toBe(0);
});

test("limits that are removed and set again count the jobs that still run", () => {
  const allowances = create();
  allowances.set("a", { parallel: 1 });
  const first = allowances.of("a");
  first?.occupy();
  allowances.set("a", {});
  allowances.set("a", { parallel: 1 });
  expect(allowances.of("a")?.full()).toMatchObject({ limit: "parallel" });
  first?.vacate();
  expect(allowances.of("a")?.full()).toBeUndefined();
  allowances.set("a", {});
  allowances.set("a", { parallel: 1 });
  expect(allowances.of("a")).not.toBe(first);
});

test("a budget begins with what its key has used, and asks for that once", () => {
  const asked: string[] = [];
  const allowances = create(asked);
  allowances.set("a", { tokensPerDay: 10 });
  expect(allowances.of("a")?.heldBy(NOTHING)).toMatchObject({ kind: "spent", limit: "tokens_per_day" });
  expect(allowances.of("a")?.heldBy(NOTHING)).toBeDefined();
  expect(asked).toEqual(["a tokens"]);
});

test("a key that is gone is forgotten", () => {
  const allowances = create();
  allowances.set("a", { parallel: 1 });
  allowances.delete("a");
  expect(allowances.of("a")).toBeUndefined();
});

test("what a key has used is read when its limits are asked first, and not for a key that is idle", () => {
  const asked: string[] = [];
  const allowances = create(asked);
  for (const id of ["a", "b"]) allowances.set(id, { tokensPerDay: 100 });
  expect([...allowances.ids()]).toEqual(["a", "b"]);
  expect(asked).toEqual([]);
  allowances.of("a")?.states();
  expect(asked).toEqual(["a tokens"]);
});

test("a key whose limits were taken away before anybody asked has none", () => {
  const allowances = create();
  allowances.set("a", { parallel: 1 });
  allowances.set("a", {});
  expect(allowances.of("a")).toBeUndefined();
  expect([...allowances.ids()]).toEqual([]);
});
