import { expect, test } from "bun:test";
import { systemClock } from "../../../src/system/clock.ts";

test("a timer of the system's clock never fires before its time", async () => {
  const early: number[] = [];
  const waits = Array.from({ length: 200 }, async (_, at) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const ms = 1 + at / 7;
    const due = systemClock.elapsed() + ms;
    systemClock.after(ms, resolve);
    await promise;
    const lateMs = systemClock.elapsed() - due;
    if (lateMs < 0) early.push(lateMs);
  });
  await Promise.all(waits);
  expect(early).toEqual([]);
});
