import { expect, test } from "bun:test";
import { HybridClock, MAX_STAMP } from "../../../../src/cluster/ids/hybrid-clock.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

test("stamps grow, also within a millisecond and while the wall clock stands still", () => {
  const clock = new HybridClock(new FakeClock());
  const [first, second, third] = [clock.stamp(), clock.stamp(), clock.stamp()];
  expect([second, third]).toEqual([first + 1, first + 2]);
});

test("stamps are about the microseconds since 1970", () => {
  const wall = new FakeClock();
  expect(new HybridClock(wall).stamp()).toBe(wall.now() * 1000);
});

test("a stamp is later than all that were heard, even from a server whose clock is an hour ahead", () => {
  const wall = new FakeClock();
  const clock = new HybridClock(wall);
  const heard = (wall.now() + 3_600_000) * 1000;
  clock.hear(heard);
  expect(clock.stamp()).toBe(heard + 1);
});

test("a stamp of a broken clock is not followed", () => {
  const wall = new FakeClock();
  const clock = new HybridClock(wall);
  clock.hear(MAX_STAMP + 1);
  expect(clock.stamp()).toBe(wall.now() * 1000);
});
