import { describe, expect, test } from "bun:test";
import { Drift } from "../../../src/models/drift.ts";
import { FakeClock } from "../../support/fake-clock.ts";

describe("the drift of a pool", () => {
  test("counts heartbeats as one change every five seconds", () => {
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

  test("does not change without heartbeats and tokens", () => {
    const clock = new FakeClock();
    const drift = new Drift(clock);
    for (let second = 0; second < 100; second += 1) {
      clock.advance(1000);
      drift.look(0);
    }
    expect(drift.revision).toBe(0);
  });

  test("continues after the last token until the token rate is zero again, and then stops", () => {
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
