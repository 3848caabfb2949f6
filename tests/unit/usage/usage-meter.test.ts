import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_END_USERS } from "../../../src/usage/end-user-room.ts";
import "../../support/seed.ts";
import { OTHER } from "../../../src/usage/live-cells.ts";
import { MemoryUsage } from "../../../src/usage/memory-usage.ts";
import { type RequestUsage, UsageMeter } from "../../../src/usage/usage-meter.ts";
import type { UsageCell, UsageRecords, UsageRow } from "../../../src/usage/usage-records.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const FLUSH_MS = 1000;
const ONE: RequestUsage = {
  key: "k",
  model: "m",
  isFailed: false,
  inputTokens: 10,
  outputTokens: 2,
  waitMs: 3,
  heldMs: 4,
};

/** A meter whose records can break, and which notes the size of each slice. */
function setUp() {
  const clock = new FakeClock();
  const kept = new MemoryUsage();
  const slices: number[] = [];
  let isBroken = false;
  const records: UsageRecords = {
    add(cells: readonly UsageCell[]) {
      if (isBroken) return false;
      slices.push(cells.length);
      return kept.add(cells);
    },
    view: (range) => kept.view(range),
    spentSince: (from) => kept.spentSince(from),
    prune: (now, limit) => kept.prune(now, limit),
  };
  const meter = new UsageMeter({ clock, records, flushMs: FLUSH_MS });
  const rows = (step: "minute" | "day" = "day"): readonly UsageRow[] =>
    kept.view({ step, from: 0, to: Number.MAX_SAFE_INTEGER }).next();
  const setBroken = (to: boolean): void => {
    isBroken = to;
  };
  return { clock, meter, slices, rows, setBroken };
}

test("what is added is written after the flush interval, once, and no timer runs while nothing is added", () => {
  const { clock, meter, rows } = setUp();
  expect(clock.pending).toBe(0);
  meter.add(ONE);
  meter.add({ ...ONE, isFailed: true, isEstimated: true, cachedTokens: 6, audioSeconds: 1.5 });
  clock.advance(FLUSH_MS - 1);
  expect(rows()).toEqual([]);
  clock.advance(1);
  expect(rows()).toMatchObject([
    { key: "k", model: "m", endUser: "", requests: 2, failures: 1, input: 20, cached: 6, output: 4 },
  ]);
  expect(rows()).toMatchObject([{ audioMs: 1500, waitMs: 6, heldMs: 8, estimated: 12 }]);
  clock.advance(10 * FLUSH_MS);
  expect(rows()).toMatchObject([{ requests: 2 }]);
  expect(clock.pending).toBe(0);
});

test("many cells are written in slices, with a turn of the event loop after each", () => {
  const { clock, meter, slices } = setUp();
  for (let key = 0; key < 1000; key += 1) meter.add({ ...ONE, key: `k${key}` });
  clock.advance(FLUSH_MS);
  expect(slices).toEqual(Array.from({ length: 10 }, () => 100));
  expect(slices.reduce((sum, cells) => sum + cells, 0)).toBe(1000);
});

test("a request counts for the minute in which it ended", () => {
  const { clock, meter, rows } = setUp();
  for (let seconds = 0; seconds < 150; seconds += 1) {
    meter.add(ONE);
    clock.advance(1000);
  }
  meter.close();
  const minutes = rows("minute");
  expect(minutes.every(({ at }) => at % 60_000 === 0)).toBe(true);
  expect(minutes.slice(1, -1).every(({ requests }) => requests === 60)).toBe(true);
  expect(minutes.reduce((sum, { requests }) => sum + requests, 0)).toBe(150);
});

test("amounts that a model server states wrongly are counted as whole numbers, or not at all", () => {
  const { meter, rows } = setUp();
  for (const wrong of [-5, Number.NaN, Number.POSITIVE_INFINITY, 1.4])
    meter.add({ ...ONE, inputTokens: wrong, outputTokens: wrong, waitMs: wrong });
  meter.close();
  expect(rows()).toMatchObject([{ requests: 4, input: 1e12 + 1, output: 1e12 + 1 }]);
});

describe("if writing fails", () => {
  test("what was added is kept, and written once when writing succeeds", () => {
    const { clock, meter, rows, setBroken } = setUp();
    setBroken(true);
    meter.add(ONE);
    clock.advance(90_000);
    meter.add(ONE);
    clock.advance(FLUSH_MS);
    expect(rows()).toEqual([]);
    expect(meter.unwritten().reduce((sum, { requests }) => sum + requests, 0)).toBe(2);
    setBroken(false);
    clock.advance(FLUSH_MS);
    expect(rows()).toMatchObject([{ requests: 2 }]);
    expect(rows("minute")).toHaveLength(2);
    expect(meter.unwritten()).toEqual([]);
  });

  test("for long, what waits is bounded, and its totals stay right", () => {
    const { clock, meter, rows, setBroken } = setUp();
    setBroken(true);
    const keys = 5000;
    for (let minute = 0; minute < 15; minute += 1) {
      for (let key = 0; key < keys; key += 1) meter.add({ ...ONE, key: `k${key}` });
      clock.advance(60_000);
      expect(meter.unwritten().length).toBeLessThanOrEqual(50_000 + keys);
    }
    setBroken(false);
    clock.advance(FLUSH_MS);
    expect(rows().length).toBe(1000);
    expect(meter.usedSince("k7", 0)).toEqual({ tokens: 15 * 12, audioMs: 0 });
  });
});

test("old rows are removed a few at a time, and what is added meanwhile is written as soon as ever", () => {
  const clock = new FakeClock();
  const written: number[] = [];
  let old = 50_000;
  const records: UsageRecords = {
    add: (cells) => written.push(cells.length) > 0,
    view: (range) => new MemoryUsage().view(range),
    spentSince: () => [],
    prune(_now, limit) {
      old = Math.max(0, old - limit);
      return old > 0;
    },
  };
  const meter = new UsageMeter({ clock, records, flushMs: FLUSH_MS });
  for (let flush = 1; flush <= 30; flush += 1) {
    meter.add(ONE);
    clock.advance(FLUSH_MS);
    expect(written).toHaveLength(flush);
  }
  expect(old).toBe(0);
  expect(clock.pending).toBe(0);
});

test("what is added after the end is written at once", () => {
  const { meter, rows } = setUp();
  meter.close();
  meter.add(ONE);
  expect(rows()).toMatchObject([{ requests: 1 }]);
});

test("what a key has used since a minute is known at any time, whatever is written meanwhile", () => {
  const use = fc.record({
    afterMs: fc.integer({ min: 0, max: 200_000 }),
    key: fc.constantFrom("a", "b"),
    tokens: fc.nat(500),
    seconds: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(use, { maxLength: 60 }), fc.array(fc.nat(60), { maxLength: 8 }), (uses, questions) => {
      const { clock, meter } = setUp();
      const startedAt = clock.now() - (clock.now() % 60_000);
      const done: { at: number; key: string; tokens: number; audioMs: number }[] = [];
      const check = (): void => {
        for (const minutes of questions) {
          const from = startedAt + minutes * 60_000;
          if (from > clock.now()) continue;
          for (const key of ["a", "b"]) {
            const own = done.filter((each) => each.key === key && each.at >= from);
            const sum = (amount: "tokens" | "audioMs"): number => own.reduce((all, each) => all + each[amount], 0);
            expect(meter.usedSince(key, from)).toEqual({ tokens: sum("tokens"), audioMs: sum("audioMs") });
          }
        }
      };
      for (const { afterMs, key, tokens, seconds } of uses) {
        clock.advance(afterMs);
        meter.add({ ...ONE, key, inputTokens: tokens, outputTokens: 1, audioSeconds: seconds });
        done.push({ at: clock.now(), key, tokens: tokens + 1, audioMs: seconds * 1000 });
        check();
      }
    }),
  );
});

test("what keys have used is read once for each time that is asked for, however many keys ask", () => {
  const clock = new FakeClock();
  let reads = 0;
  class Counted extends MemoryUsage {
    override spentSince(from: number) {
      reads += 1;
      return super.spentSince(from);
    }
  }
  const meter = new UsageMeter({ clock, records: new Counted(), flushMs: FLUSH_MS });
  for (let key = 0; key < 1000; key += 1) {
    meter.add({ ...ONE, key: `k${key}` });
    clock.advance(FLUSH_MS);
    expect(meter.usedSince(`k${key}`, 0)).toEqual({ tokens: 12, audioMs: 0 });
  }
  expect(reads).toBe(1);
});

test("the end users of a key are counted one by one up to a thousand a day, and then together", () => {
  const { clock, meter } = setUp();
  const users = (): Set<string> => new Set(meter.unwritten().map(({ endUser }) => endUser));
  for (let user = 0; user < MAX_END_USERS + 50; user += 1) meter.add({ ...ONE, endUser: `u${user}` });
  meter.add({ ...ONE, key: "l", endUser: "u" });
  expect(users().size).toBe(MAX_END_USERS + 2);
  expect(meter.unwritten().find(({ endUser }) => endUser === OTHER)).toMatchObject({ key: "k", requests: 50 });
  clock.advance(86_400_000);
  meter.add({ ...ONE, endUser: "tomorrow" });
  expect(users()).toEqual(new Set(["tomorrow"]));
});

test("a flood of models is counted together, by key", () => {
  const { meter } = setUp();
  for (let model = 0; model < 25_000; model += 1) meter.add({ ...ONE, model: `m${model}` });
  meter.add({ ...ONE, key: "l" });
  expect(meter.unwritten().length).toBe(20_002);
  const others = meter.unwritten().filter(({ model }) => model === OTHER);
  expect(others.map(({ key, requests }) => [key, requests])).toEqual([
    ["k", 5000],
    ["l", 1],
  ]);
});
