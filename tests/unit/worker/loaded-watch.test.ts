import { expect, test } from "bun:test";
import { LoadedWatch } from "../../../src/worker/loaded-watch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** `expiresInMs` is the time of the model that the backend has loaded, counted from the start. */
function start(expiresInMs?: number) {
  const clock = new FakeClock();
  const begunAt = clock.elapsed();
  const asked: number[] = [];
  const rig = { running: 0 };
  const expiresAt = expiresInMs === undefined ? undefined : clock.now() + expiresInMs;
  const watch = new LoadedWatch({
    ask: () => {
      asked.push(clock.elapsed() - begunAt);
      return Promise.resolve(expiresAt);
    },
    running: () => rig.running,
    clock,
  });
  /** Moves the clock by seconds, and lets each answer arrive before the next second. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1000);
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    }
  };
  return { rig, clock, asked, watch, pass };
}

test("a worker without jobs asks nothing and has no timer", async () => {
  const { clock, asked, pass } = start();
  await pass(3600);
  expect(asked).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("the backend is asked a second after a job began, then every five, until fifteen after the last job", async () => {
  const { clock, asked, pass, watch, rig } = start();
  watch.handleJob();
  rig.running = 1;
  await pass(7);
  rig.running = 0;
  await pass(60);
  expect(asked).toEqual([1000, 6000, 11_000, 16_000, 21_000]);
  expect(clock.pending).toBe(0);
});

test("many jobs make no more than one question in two seconds", async () => {
  const { asked, pass, watch } = start();
  for (let second = 0; second < 20; second += 1) {
    for (let job = 0; job < 50; job += 1) watch.handleJob();
    await pass(1);
  }
  expect(asked.length).toBeLessThanOrEqual(10);
  for (const [at, ms] of asked.entries()) if (at > 0) expect(ms - (asked[at - 1] ?? 0)).toBeGreaterThanOrEqual(2000);
});

test("a job after a pause is followed by a question at once", async () => {
  const { asked, pass, watch } = start();
  watch.handleJob();
  await pass(100);
  const before = asked.length;
  watch.handleJob();
  await pass(1);
  expect(asked.slice(before)).toEqual([101_000]);
});

test("the backend is asked once more when the time of an idle model is up, and not again if the model stays", async () => {
  const { clock, asked, pass, watch } = start(300_000);
  watch.handleJob();
  await pass(299);
  expect(asked).toEqual([1000, 6000, 11_000, 16_000]);
  await pass(600);
  expect(asked.slice(4)).toEqual([301_500]);
  expect(clock.pending).toBe(0);
});

test("a time that has passed already is not waited for", async () => {
  const { clock, pass, watch } = start(-3_600_000);
  watch.handleJob();
  await pass(60);
  expect(clock.pending).toBe(0);
});

test("a watch that was stopped asks nothing more", async () => {
  const { asked, pass, watch, clock } = start();
  watch.handleJob();
  watch.stop();
  watch.handleJob();
  await pass(60);
  expect(asked).toEqual([]);
  expect(clock.pending).toBe(0);
});
