import { expect, test } from "bun:test";
import fc from "fast-check";
import { RecentMinute } from "../../../src/limits/recent-minute.ts";
import "../../support/seed.ts";

test("an amount counts for a minute", () => {
  const recent = new RecentMinute();
  recent.add(3, 1000);
  expect([recent.sum(1000), recent.sum(60_999), recent.sum(61_000)]).toEqual([3, 3, 0]);
});

test("the time until there is room is that of the amounts which must go", () => {
  const recent = new RecentMinute();
  recent.add(1, 0);
  recent.add(2, 10_000);
  recent.add(3, 20_000);
  expect([6, 5, 4, 3, 0].map((atMost) => recent.msUntil(atMost, 30_000))).toEqual([0, 30_000, 40_000, 40_000, 50_000]);
});

test("fractions of tokens, which some model servers state, leave nothing over", () => {
  const recent = new RecentMinute();
  for (const [index, amount] of [0.1, 0.7, 0.2].entries()) recent.add(amount, index * 1000);
  expect(recent.msUntil(0, 100_000)).toBe(0);
  expect(recent.sum(100_000)).toBe(0);
});

const arrivals = fc.array(fc.tuple(fc.nat({ max: 4000 }), fc.integer({ min: 1, max: 3 })), { maxLength: 300 });

test("no 60 seconds ever have more than the limit, however requests arrive", () => {
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 3, max: 30 }), (steps, limit) => {
      const recent = new RecentMinute();
      const admitted: { at: number; amount: number }[] = [];
      let now = 0;
      for (const [pause, amount] of steps) {
        now += pause;
        if (recent.msUntil(limit - amount, now) > 0) continue;
        recent.add(amount, now);
        admitted.push({ at: now, amount });
      }
      for (const { at } of admitted) {
        const within = admitted.filter((each) => each.at >= at && each.at < at + 60_000);
        expect(within.reduce((sum, { amount }) => sum + amount, 0)).toBeLessThanOrEqual(limit);
      }
    }),
  );
});

test("a caller that waits for as long as it says gets room, and has lost at most a quarter of a second", () => {
  fc.assert(
    fc.property(arrivals, (steps) => {
      const recent = new RecentMinute();
      const all: { at: number; amount: number }[] = [];
      let now = 0;
      for (const [pause, amount] of steps) {
        now += pause;
        recent.add(amount, now);
        all.push({ at: now, amount });
      }
      const wait = recent.msUntil(5, now);
      const trulyLeft = (at: number): number =>
        all.filter((each) => each.at > at - 60_000).reduce((sum, { amount }) => sum + amount, 0);
      if (wait > 250) expect(trulyLeft(now + wait - 251)).toBeGreaterThan(5);
      expect(recent.sum(now + wait)).toBeLessThanOrEqual(5);
    }),
  );
});

test("a minute of amounts at every millisecond takes a bounded number of cells", () => {
  const recent = new RecentMinute();
  for (let now = 0; now < 200_000; now += 1) recent.add(1, now);
  expect(recent.sum(200_000)).toBeLessThanOrEqual(60_250);
  expect(recent.cells).toBeLessThanOrEqual(241);
});
