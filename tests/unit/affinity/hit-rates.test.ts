import { describe, expect, test } from "bun:test";
import { HitRates } from "../../../src/affinity/hit-rates.ts";

const MINUTE = 60_000;
const job = (cachedTokens: number, sessionId = "s", model = "m"): Parameters<HitRates["count"]>[0] => ({
  workerId: `worker-${sessionId}`,
  sessionId,
  model,
  predictedTokens: 1000,
  cachedTokens,
});

describe("the rate of hits", () => {
  test("a worker whose backend has less than a fifth of what was predicted over 20 jobs is cold for 10 minutes", () => {
    const rates = new HitRates();
    const said = Array.from({ length: 20 }, () => rates.count(job(100), 0));
    expect(said.slice(0, 19).every((each) => each === undefined)).toBe(true);
    expect(said[19]).toMatchObject({ workerId: "worker-s", model: "m", predictedTokens: 20_000, cachedTokens: 2000 });
    expect(rates.isCold("s", "m", 9 * MINUTE)).toBe(true);
    expect(rates.isCold("s", "other", 0)).toBe(false);
    expect(rates.isCold("other", "m", 0)).toBe(false);
    expect(rates.cold(9 * MINUTE)).toHaveLength(1);
    expect(rates.isCold("s", "m", 10 * MINUTE)).toBe(false);
    expect(rates.cold(10 * MINUTE)).toHaveLength(0);
  });

  test("after that it is tried with 20 jobs again", () => {
    const rates = new HitRates();
    for (let at = 0; at < 20; at += 1) rates.count(job(0), 0);
    for (let at = 0; at < 19; at += 1) expect(rates.count(job(0), 11 * MINUTE)).toBeUndefined();
    expect(rates.count(job(0), 11 * MINUTE)).toMatchObject({ until: 21 * MINUTE });
  });

  test("a worker that has a fifth is not cold, and one whose cache has more makes up for nothing", () => {
    const rates = new HitRates();
    for (let at = 0; at < 40; at += 1) expect(rates.count(job(250), 0)).toBeUndefined();
    const said = Array.from({ length: 20 }, (_, at) => rates.count(job(at === 0 ? 1_000_000 : 0), 0));
    expect(said[19]).toBeDefined();
  });

  test("small predictions say nothing", () => {
    const rates = new HitRates();
    for (let at = 0; at < 100; at += 1) rates.count({ ...job(0), predictedTokens: 60 }, 0);
    expect(rates.cold(0)).toHaveLength(0);
    expect(rates.models.size).toBe(0);
  });

  test("the sums of models are bounded, and so are the pairs that are judged", () => {
    const rates = new HitRates();
    for (let at = 0; at < 1000; at += 1) rates.count(job(500, `s${at}`, `m${at}`), 0);
    expect(rates.models.size).toBe(201);
    expect(rates.models.get("other")).toEqual({ predictedTokens: 800_000, cachedTokens: 400_000 });
    for (let at = 0; at < 30_000; at += 1) rates.count(job(0, `t${at}`), 0);
    // The first pair was forgotten, so its jobs count from the start.
    for (let at = 0; at < 19; at += 1) expect(rates.count(job(0, "t0"), 0)).toBeUndefined();
  });
});
