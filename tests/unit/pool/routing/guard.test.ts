import { expect, test } from "bun:test";
import fc from "fast-check";
import { isWithinGuard } from "../../../../src/pool/routing/guard.ts";

test("with two slots a warm worker may have one job more than an idle one", () => {
  expect(isWithinGuard({ busy: 1, capacity: 2 }, 0)).toBe(true);
  expect(isWithinGuard({ busy: 2, capacity: 2 }, 0)).toBe(false);
  expect(isWithinGuard({ busy: 2, capacity: 2 }, 0.5)).toBe(true);
});

test("with many slots a warm worker may be ahead by a quarter of them", () => {
  expect(isWithinGuard({ busy: 8, capacity: 32 }, 0)).toBe(true);
  expect(isWithinGuard({ busy: 9, capacity: 32 }, 0)).toBe(false);
  expect(isWithinGuard({ busy: 24, capacity: 32 }, 0.5)).toBe(true);
});

test("a worker that is no busier than the other one is always within the guard", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.nat(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (capacity, more, load) => {
        const busy = Math.floor(load * capacity);
        expect(isWithinGuard({ busy, capacity }, load)).toBe(true);
        const isFarAhead = busy + more - load * capacity > Math.max(1, 0.25 * capacity);
        expect(isWithinGuard({ busy: busy + more, capacity }, load)).toBe(!isFarAhead);
      },
    ),
  );
});
