import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LEAN_MS, pickByWeight, weightsAt } from "../../../../src/demo/cluster/leaning.ts";

describe("the load of the demo", () => {
  test("leans towards one server after the other, and never leaves one out", () => {
    expect(weightsAt(0, 3)).toEqual([4, 1, 1]);
    expect(weightsAt(LEAN_MS, 3)).toEqual([1, 4, 1]);
    expect(weightsAt(3 * LEAN_MS, 3)).toEqual([4, 1, 1]);
  });

  test("picks each server by its share", () => {
    expect(pickByWeight([4, 1, 1], 0)).toBe(0);
    expect(pickByWeight([4, 1, 1], 0.67)).toBe(1);
    expect(pickByWeight([4, 1, 1], 0.99)).toBe(2);
  });

  test("never picks a server whose weight is 0", () => {
    const weight = fc.integer({ min: 0, max: 9 });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.array(weight), random, (weights, at) => {
        const picked = pickByWeight(weights, at);
        if (weights.every((each) => each === 0)) expect(picked).toBeUndefined();
        else expect(weights[picked ?? -1]).toBeGreaterThan(0);
      }),
    );
  });
});
