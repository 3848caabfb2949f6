import { expect, test } from "bun:test";
import { EventLoopLag } from "../../../src/figures/event-loop-lag.ts";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { FakeClock } from "../../support/fake-clock.ts";

async function lagsOf(lag: EventLoopLag): Promise<Record<string, number>> {
  const text = await createMetrics("1", undefined, lag).text();
  const found = text.matchAll(/^nodejs_eventloop_lag_(\w+)_seconds (\S+)$/gm);
  return Object.fromEntries(Array.from(found, ([, name = "", value]) => [name, Number(value)]));
}

test("the lag of the event loop is how late its timers run", async () => {
  const lag = new EventLoopLag();
  for (let each = 0; each < 98; each += 1) lag.observe(1);
  for (const late of [500, 2000, -3]) lag.observe(late);
  expect(await lagsOf(lag)).toMatchObject({ min: 0, max: 2, p50: 0.001, p90: 0.001, p99: 0.5 });
});

test("only the last minute counts", async () => {
  const lag = new EventLoopLag();
  lag.observe(5000);
  for (let each = 0; each < 240; each += 1) lag.observe(1);
  expect(await lagsOf(lag)).toMatchObject({ max: 0.001 });
});

test("it is measured four times a second, until it is stopped", () => {
  const clock = new FakeClock();
  const lag = new EventLoopLag();
  const stop = lag.start(clock);
  clock.advance(1000);
  expect(lag.sorted()).toEqual(new Float64Array(4));
  stop();
  clock.advance(1000);
  expect(lag.sorted()).toHaveLength(4);
});
