import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RecentTimes } from "../../../src/figures/recent-times.ts";
import { SlidingSum } from "../../../src/figures/sliding-sum.ts";
import { CAPACITY, COLUMNS, History, type Sample } from "../../../src/state/history.ts";
import { sampleOf } from "../../support/sample-of.ts";

const sample = (at: number, more: Partial<Sample> = {}): Sample => sampleOf({ at, ...more });

describe("the history of samples", () => {
  test("names every figure of a sample once", () => {
    expect([...COLUMNS].toSorted()).toEqual(Object.keys(sample(0)).toSorted() as (typeof COLUMNS)[number][]); // Keys of a Sample.
  });

  test("has columns of one length, oldest first, with null for missing values", () => {
    const history = new History();
    expect(history.snapshot()).toMatchObject({ interval_ms: 1000, capacity: 900, samples: { at: [], tokens: [] } });
    history.add(sample(1000, { tokens: 7 }));
    history.add(sample(2000, { tokens: 8, first_byte_p50_ms: 12.5 }));
    const { samples } = history.snapshot();
    expect(Object.keys(samples)).toEqual([...COLUMNS]);
    expect(samples["at"]).toEqual([1000, 2000]);
    expect(samples["tokens"]).toEqual([7, 8]);
    expect(samples["first_byte_p50_ms"]).toEqual([null, 12.5]);
  });

  test("forgets the oldest sample once a quarter of an hour is full", () => {
    const history = new History();
    for (let at = 1; at <= CAPACITY + 5; at += 1) history.add(sample(at, { requests: 1 }));
    const { samples } = history.snapshot();
    expect(samples["at"]).toHaveLength(900);
    expect(samples["at"]?.[0]).toBe(6);
    expect(samples["at"]?.at(-1)).toBe(905);
  });

  test("sums the newest samples, or as many as there are", () => {
    const history = new History();
    expect(history.sum("requests", 60)).toBe(0);
    for (let at = 1; at <= CAPACITY + 5; at += 1) history.add(sample(at, { requests: at }));
    expect(history.sum("requests", 2)).toBe(904 + 905);
    expect(history.sum("requests", 2000)).toBe((900 * (6 + 905)) / 2);
  });
});

describe("recent times", () => {
  test("have no quantile while they are empty", () => {
    const times = new RecentTimes();
    expect(times.quantile(0.5)).toBeNull();
    times.observe(Number.NaN);
    times.observe(-1);
    expect(times.quantile(0.5)).toBeNull();
  });

  test("give each quantile within 4 % of the exact one", () => {
    const anyTimes = fc.array(fc.double({ min: 0.2, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(anyTimes, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
        const times = new RecentTimes();
        for (const ms of list) times.observe(ms);
        const exact = list.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(share * list.length)) - 1] ?? 0;
        const ratio = (times.quantile(share) ?? 0) / exact;
        expect(ratio).toBeGreaterThan(0.955);
        expect(ratio).toBeLessThan(1.045);
      }),
    );
  });

  test("count values out of bounds in the first or the last bucket", () => {
    const times = new RecentTimes();
    times.observe(0);
    expect(times.quantile(1)).toBeLessThan(0.2);
    times.observe(Number.MAX_VALUE);
    expect(times.quantile(1)).toBeGreaterThan(86_400_000);
  });

  test("cover the last sixty seconds", () => {
    const times = new RecentTimes();
    times.observe(10);
    for (let second = 0; second < 30; second += 1) times.advance();
    times.observe(1000);
    for (let second = 0; second < 29; second += 1) times.advance();
    expect(times.quantile(0.5)).toBeLessThan(11);
    times.advance();
    expect(times.quantile(0.5)).toBeGreaterThan(950);
    expect(times.quantile(1)).toBeGreaterThan(950);
    for (let second = 0; second < 30; second += 1) times.advance();
    expect(times.quantile(0.5)).toBeNull();
  });
});

test("a sliding sum covers the last minute, to five seconds", () => {
  const times = fc.array(fc.record({ afterMs: fc.nat(30_000), amount: fc.nat(1000) }), { maxLength: 50 });
  fc.assert(
    fc.property(times, (steps) => {
      const sum = new SlidingSum();
      let now = 1_234_567;
      const added: { readonly at: number; readonly amount: number }[] = [];
      for (const { afterMs, amount } of steps) {
        now += afterMs;
        sum.add(amount, now);
        added.push({ at: now, amount });
        const since = (ms: number): number =>
          added.filter(({ at }) => at > now - ms).reduce((total, each) => total + each.amount, 0);
        expect(sum.sum(now)).toBeGreaterThanOrEqual(since(55_000));
        expect(sum.sum(now)).toBeLessThanOrEqual(since(60_000));
        expect(sum.rate(now)).toBe(sum.sum(now) / 60);
      }
      expect(sum.sum(now + 60_000)).toBe(0);
    }),
  );
});
