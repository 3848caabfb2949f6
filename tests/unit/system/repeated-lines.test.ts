import { expect, test } from "bun:test";
import type { LogFields } from "../../../src/system/deps.ts";
import { RepeatedLines } from "../../../src/system/repeated-lines.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function create() {
  const clock = new FakeClock();
  const written: LogFields[] = [];
  const lines = new RepeatedLines({ clock, write: (fields) => written.push(fields) });
  const note = (origin: string, route = "/a"): void =>
    lines.note(origin, { address: origin, route }, { address: "others" });
  return { clock, written, note };
}

test("the first event of an origin is written at once, and those of the next 10 s as one line with their count", () => {
  const { clock, written, note } = create();
  note("x", "/first");
  expect(written).toEqual([{ address: "x", route: "/first", count: 1 }]);
  for (let each = 0; each < 5; each += 1) note("x", "/more");
  note("x", "/last");
  note("y");
  expect(written).toHaveLength(2);
  clock.advance(10_000);
  expect(written.slice(2)).toEqual([{ address: "x", route: "/last", count: 6 }]);
});

test("events that go on are one line in 10 s, and an origin that has been quiet is written at once again", () => {
  const { clock, written, note } = create();
  for (let second = 0; second < 30; second += 1) {
    note("x");
    clock.advance(1000);
  }
  expect(written.map(({ count }) => count)).toEqual([1, 9, 10, 10]);
  clock.advance(20_000);
  expect(clock.pending).toBe(0);
  note("x");
  expect(written.at(-1)).toMatchObject({ count: 1 });
});

test("a flood from ever new origins is bounded: those beyond 200 share one line", () => {
  const { clock, written, note } = create();
  for (let each = 0; each < 5000; each += 1) note(`origin ${each}`);
  expect(written).toHaveLength(201);
  clock.advance(10_000);
  expect(written).toHaveLength(202);
  expect(written.at(-1)).toEqual({ address: "others", count: 4799 });
  clock.advance(10_000);
  expect(clock.pending).toBe(0);
});
