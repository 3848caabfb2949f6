import { expect, test } from "bun:test";
import { SilenceWatch } from "../../../src/system/silence.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** An exchange whose progress the test makes, and the halts that were reported. */
function start(limits: { silenceMs: number; stallMs: number }) {
  const clock = new FakeClock();
  const exchange = { lastProgressAt: clock.elapsed(), isWaitingForUs: false };
  const halts: string[] = [];
  const watch = new SilenceWatch(clock, exchange, limits, (isStall) => halts.push(isStall ? "stall" : "silence"));
  const progress = (): void => {
    exchange.lastProgressAt = clock.elapsed();
  };
  return { clock, exchange, halts, stop: () => watch.stop(), progress };
}

test("silence is reported once, when its limit has passed, and no timer is left", () => {
  const { clock, halts } = start({ silenceMs: 1000, stallMs: 5000 });
  clock.advance(999);
  expect(halts).toEqual([]);
  clock.advance(1);
  expect(halts).toEqual(["silence"]);
  expect(clock.pending).toBe(0);
  clock.advance(100_000);
  expect(halts).toEqual(["silence"]);
});

test("progress puts the report off, and makes no timer of its own", () => {
  const { clock, halts, progress } = start({ silenceMs: 1000, stallMs: 5000 });
  for (let step = 0; step < 20; step += 1) {
    clock.advance(900);
    progress();
    expect(clock.pending).toBe(1);
  }
  clock.advance(999);
  expect(halts).toEqual([]);
  clock.advance(1);
  expect(halts).toEqual(["silence"]);
});

test("the limit is the one of the side that the other waits for", () => {
  const { clock, exchange, halts } = start({ silenceMs: 60_000, stallMs: 1000 });
  clock.advance(30_000);
  expect(halts).toEqual([]);
  exchange.lastProgressAt = clock.elapsed();
  exchange.isWaitingForUs = true;
  clock.advance(1000);
  expect(halts).toEqual(["stall"]);
});

test("a stall that begins while silence has a long limit is noticed within the stall's own limit", () => {
  const { clock, exchange, halts } = start({ silenceMs: 3_600_000, stallMs: 1000 });
  clock.advance(500);
  exchange.lastProgressAt = clock.elapsed();
  exchange.isWaitingForUs = true;
  clock.advance(2000);
  expect(halts).toEqual(["stall"]);
});

test("a side without a limit may take any time, of which only the last stretch counts towards the other's", () => {
  const { clock, exchange, halts } = start({ silenceMs: 1000, stallMs: Number.POSITIVE_INFINITY });
  exchange.isWaitingForUs = true;
  clock.advance(100_500);
  exchange.isWaitingForUs = false;
  clock.advance(499);
  expect(halts).toEqual([]);
  // A second after the last look that found it waiting.
  clock.advance(1);
  expect(halts).toEqual(["silence"]);
});

test("a limit that is lifted on the way no longer counts", () => {
  const limits = { silenceMs: 1000, stallMs: 5000 };
  const { clock, exchange, halts } = start(limits);
  clock.advance(500);
  limits.silenceMs = Number.POSITIVE_INFINITY;
  clock.advance(1_000_000);
  expect(halts).toEqual([]);
  exchange.lastProgressAt = clock.elapsed();
  exchange.isWaitingForUs = true;
  clock.advance(10_000);
  expect(halts).toEqual(["stall"]);
});

test("without any limit nothing is reported, however long a timer can be", () => {
  const { clock, halts } = start({ silenceMs: Number.POSITIVE_INFINITY, stallMs: Number.POSITIVE_INFINITY });
  clock.advance(2 ** 33);
  expect(halts).toEqual([]);
});

test("a watch that is stopped reports nothing, before or after it has looked", () => {
  const { clock, halts, progress, stop } = start({ silenceMs: 1000, stallMs: 5000 });
  clock.advance(500);
  progress();
  clock.advance(600);
  stop();
  stop();
  expect(clock.pending).toBe(0);
  clock.advance(10_000);
  expect(halts).toEqual([]);
});
