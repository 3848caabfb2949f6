import { expect, test } from "bun:test";
import fc from "fast-check";
import { createCostOf } from "../../../src/models/job-cost.ts";
import type { Work } from "../../../src/pool/seat.ts";
import { times } from "../../support/times.ts";

const WEIGHTS = { input: 1, cached: 0.1, output: 8 };
const costOf = createCostOf(WEIGHTS);

function work(usage: Work["usage"], runningMs = 1000): Work {
  return { outcome: "completed", error: undefined, runningMs, usage, output: usage?.["output_tokens"] ?? 0 };
}

test("a job costs its computed input, its cached input and its output, each with its weight", () => {
  expect(costOf(work({ input_tokens: 1000, cached_tokens: 800, output_tokens: 50 }))).toBeCloseTo(200 + 80 + 400, 6);
  expect(costOf(work({ input_tokens: 1000, output_tokens: 50 }))).toBe(1400);
  expect(costOf(work({ output_tokens: 50 }))).toBe(400);
  expect(costOf(work({ input_tokens: 1000 }))).toBe(1000);
  const even = createCostOf({ input: 2, cached: 2, output: 2 });
  expect(even(work({ input_tokens: 10, cached_tokens: 4, output_tokens: 5 }))).toBe(30);
});

test("a job that used no token costs nothing", () => {
  expect(costOf(work({ input_tokens: 0, output_tokens: 0 }))).toBe(0);
});

test.each<[string, Work["usage"]]>([
  ["without usage", undefined],
  ["with usage in another unit", { audio_seconds: 60 }],
])("a job %s costs the time of its slot, at 50 output tokens a second", (_what, usage) => {
  expect(costOf(work(usage, 2000))).toBe(800);
  expect(createCostOf({ input: 4, cached: 0, output: 0 })(work(usage, 2000))).toBe(400);
});

test("in a pool that charges time, tokens do not count", () => {
  expect(createCostOf(WEIGHTS, true)(work({ input_tokens: 5, output_tokens: 7, audio_seconds: 3 }, 500))).toBe(200);
});

test("no more of a prompt is cached than there was of it, and no claim of a worker costs without bound", () => {
  expect(costOf(work({ input_tokens: 10, cached_tokens: 50, output_tokens: 0 }))).toBe(1);
  expect(costOf(work({ input_tokens: 2 ** 31, output_tokens: 2 ** 31 }))).toBe(90_000_000);
});

test("whatever a worker states, a cost is a finite number and never negative", () => {
  const amount = fc.option(fc.oneof(fc.double(), fc.integer()), { nil: undefined });
  const usage = fc.record({ input_tokens: amount, cached_tokens: amount, output_tokens: amount });
  fc.assert(
    fc.property(usage, fc.integer({ min: -1, max: 1e9 }), (stated, runningMs) => {
      const cost = costOf(work(stated, runningMs));
      expect(cost).toBeGreaterThanOrEqual(0);
      expect(cost).toBeLessThan(Number.MAX_SAFE_INTEGER);
    }),
    { numRuns: times(500) },
  );
});
