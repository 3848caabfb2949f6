import { expect, test } from "bun:test";
import { closeHint, type LinkEnd, planRetry, RETRY_LIMITS } from "../../../src/worker/retry.ts";

const broke: LinkEnd = { code: 1006, reason: "broke", registeredMs: undefined, retryAfterMs: undefined };
const most = (): number => 0.999_999;
const least = (): number => 0;

function delays(end: LinkEnd, random: () => number, count: number): number[] {
  let failures = 0;
  return Array.from({ length: count }, () => {
    const plan = planRetry(end, failures, random);
    failures = plan.failures;
    return plan.delayMs;
  });
}

test("the wait doubles from half a second to thirty seconds, and jitter shortens it by up to all of it", () => {
  expect(delays(broke, most, 9)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  expect(delays(broke, least, 3)).toEqual([0, 0, 0]);
});

test("the wait is finite after a thousand failures", () => {
  expect(planRetry(broke, 1000, most).delayMs).toBe(30_000);
});

test("a registration that lasted resets the wait, and one that broke at once does not", () => {
  expect(planRetry({ ...broke, registeredMs: RETRY_LIMITS.lastedMs }, 6, most)).toEqual({ delayMs: 500, failures: 1 });
  expect(planRetry({ ...broke, registeredMs: 50 }, 6, most).delayMs).toBe(30_000);
});

test("a refused worker dials slowly, never at once and at least once a minute", () => {
  const refused = { ...broke, code: 1008, reason: "unauthorized" };
  expect(delays(refused, least, 6)).toEqual([2500, 5000, 10_000, 20_000, 30_000, 30_000]);
  expect(delays(refused, most, 6).at(-1)).toBe(60_000);
});

test("a worker whose id was taken over waits at least half a minute, even after a long session", () => {
  const replaced = { ...broke, code: 4001, reason: "replaced", registeredMs: 3_600_000 };
  expect(planRetry(replaced, 0, least).delayMs).toBe(30_000);
  expect(planRetry(replaced, 0, most).delayMs).toBe(60_000);
});

test("workers leave a drained server the time that it asked for, and return spread out", () => {
  const drained = { ...broke, code: 1000, registeredMs: 100, retryAfterMs: 2000 };
  expect(planRetry(drained, 5, least)).toEqual({ delayMs: 2000, failures: 0 });
  expect(planRetry(drained, 5, most).delayMs).toBe(4000);
});

test("a refusal has advice, and a broken connection has none", () => {
  expect(closeHint({ code: 1008, reason: "unauthorized" })).toContain("--client-key");
  expect(closeHint({ code: 1008, reason: "unexpected client key" })).toContain("no client key");
  expect(closeHint({ code: 1008, reason: "id in use" })).toContain("--id");
  expect(closeHint({ code: 1008, reason: "invalid id: it must be short" })).toStartWith("choose another --id");
  expect(closeHint({ code: 4001, reason: "replaced" })).toContain("--id");
  expect(closeHint({ code: 1002, reason: "unknown frame type 9" })).toContain("versions");
  expect(closeHint({ code: 1006, reason: "" })).toBeUndefined();
  expect(closeHint({ code: 1012, reason: "restart" })).toBeUndefined();
});
