import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Contender, levelOfContender, scoreOf } from "../../../../src/pool/routing/score.ts";

const contender = (more: Partial<Contender> = {}): Contender => ({
  load: 0,
  pace: 1,
  isLoaded: true,
  isSuspended: false,
  ...more,
});
const level = (more: Partial<Contender>): number => levelOfContender(contender(more));

const anyContender = fc.record({
  load: fc.double({ min: 0, max: 1, noNaN: true }),
  pace: fc.double({ min: 0.25, max: 4, noNaN: true }),
  isLoaded: fc.boolean(),
  isSuspended: fc.boolean(),
});

test("a worker of twice the speed is worth as much as a slow one with less than half its load", () => {
  expect(scoreOf(contender({ load: 0.75, pace: 2 }))).toBe(0.5);
  expect(scoreOf(contender({ load: 0.25, pace: 1 }))).toBe(0.5);
  expect(level({ pace: 2, load: 0.5 })).toBeLessThan(level({ load: 0.25 }));
});

test("a worker that must load the model counts as if twice its slots were held, and comes behind all that have it", () => {
  expect(scoreOf(contender({ isLoaded: false }))).toBe(2.25);
  expect(level({ load: 1, pace: 0.25 })).toBeLessThan(level({ pace: 4, isLoaded: false }));
});

test("levels keep the order of scores, and differences of more than two per cent", () => {
  fc.assert(
    fc.property(anyContender, anyContender, (a, b) => {
      const [first, second] = [
        { ...a, isLoaded: true, isSuspended: false },
        { ...b, isLoaded: true, isSuspended: false },
      ];
      const ratio = scoreOf(first) / scoreOf(second);
      if (ratio < 1) expect(levelOfContender(first)).toBeLessThanOrEqual(levelOfContender(second));
      if (ratio < 0.97) expect(levelOfContender(first)).toBeLessThan(levelOfContender(second));
    }),
  );
});

test("suspended workers come last, and those that have the model first", () => {
  fc.assert(
    fc.property(anyContender, anyContender, (a, b) => {
      if (b.isSuspended && !a.isSuspended) expect(levelOfContender(a)).toBeLessThan(levelOfContender(b));
      if (a.isSuspended === b.isSuspended && a.isLoaded && !b.isLoaded)
        expect(levelOfContender(a)).toBeLessThan(levelOfContender(b));
    }),
  );
});

test("the number of levels is bounded, whatever loads and speeds there are", () => {
  const levels = new Set<number>();
  for (let load = 0; load <= 1000; load += 1)
    for (let pace = 0; pace <= 100; pace += 1)
      levels.add(level({ load: load / 1000, pace: 0.25 * 16 ** (pace / 100) }));
  expect(levels.size).toBeLessThan(250);
});
