import { describe, expect, test } from "bun:test";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { RecentTimes } from "../../../src/figures/recent-times.ts";
import { Drift } from "../../../src/models/drift.ts";
import { TransferRate } from "../../../src/plugins/transfer/transfer-rate.ts";
import { FakeClock } from "../../support/fake-clock.ts";

describe("the drift of a pool", () => {
  test("counts heartbeats as a change, once in five seconds", () => {
    const clock = new FakeClock();
    const drift = new Drift(clock);
    const revisions: number[] = [];
    for (let second = 0; second < 10; second += 1) {
      clock.advance(1000);
      drift.look(second + 1);
      revisions.push(drift.revision);
    }
    expect(revisions).toEqual([1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
  });

  test("is still without heartbeats and tokens", () => {
    const clock = new FakeClock();
    const drift = new Drift(clock);
    for (let second = 0; second < 100; second += 1) {
      clock.advance(1000);
      drift.look(0);
    }
    expect(drift.revision).toBe(0);
  });

  test("goes on after tokens until their rate is zero again, and then stops", () => {
    const clock = new FakeClock();
    const drift = new Drift(clock);
    drift.output(clock.elapsed());
    let last = 0;
    for (let second = 1; second <= 200; second += 1) {
      clock.advance(1000);
      const before = drift.revision;
      drift.look(0);
      if (drift.revision > before) last = second;
    }
    expect(last).toBeGreaterThanOrEqual(60);
    expect(last).toBeLessThanOrEqual(75);
  });
});

describe("the rate of a transfer", () => {
  test("is what passed between two looks, by the second", () => {
    const rate = new TransferRate(1000);
    expect(rate.bytesPerS).toBeNull();
    rate.look(500, 1500);
    expect(rate.bytesPerS).toBe(1000);
    rate.look(500, 2500);
    expect(rate.bytesPerS).toBe(0);
    rate.look(700, 2500);
    expect(rate.bytesPerS).toBe(0);
    rate.look(700, 3500);
    expect(rate.bytesPerS).toBe(200);
  });

  test("is unknown where bytes are not seen", () => {
    const rate = new TransferRate(0);
    rate.look(undefined, 1000);
    expect(rate.bytesPerS).toBeNull();
  });
});

describe("metrics", () => {
  test("have a plugin's totals over all its models", () => {
    const metrics = createMetrics("1");
    metrics.forModel("mcp", undefined).ended("completed");
    metrics.forModel("mcp", "a").ended("failed");
    metrics.forModel("mcp", "a").bytesOut(10);
    metrics.forModel("mcp", "b").bytesOut(5);
    metrics.forModel("llm", "a").ended("completed");
    expect(metrics.totals("mcp")).toEqual({ ended: 2, failed: 1, bytesOut: 15 });
    expect(metrics.totals("none")).toEqual({ ended: 0, failed: 0, bytesOut: 0 });
  });

  test("hand times to the first byte on, in milliseconds", () => {
    const times = new RecentTimes();
    const metrics = createMetrics("1", times);
    metrics.forModel("llm", "a").firstByte(0.25);
    expect(times.quantile(1)).toBeGreaterThan(240);
    expect(times.quantile(1)).toBeLessThan(260);
  });
});
