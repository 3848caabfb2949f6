import { expect, test } from "bun:test";
import { createLogWriter } from "../../../src/system/log-writer.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** A reader that takes what it has room for. */
function reader() {
  const taken: string[] = [];
  const state = { room: Number.POSITIVE_INFINITY, taken };
  const write = (bytes: Uint8Array): number => {
    if (state.room <= 0) throw Object.assign(new Error("full"), { code: "EAGAIN" });
    const count = Math.min(bytes.length, state.room);
    state.room -= count;
    taken.push(Buffer.from(bytes.subarray(0, count)).toString());
    return count;
  };
  return { state, write, text: () => taken.join("") };
}

test("lines logged in one turn are written at once, in order", () => {
  const clock = new FakeClock();
  const { write, state, text } = reader();
  const log = createLogWriter(clock, write);
  for (const line of ["one", "two", "three"]) log.write(line);
  expect(text()).toBe("");
  clock.advance(20);
  expect(state.taken).toEqual(["one\ntwo\nthree\n"]);
  expect(clock.pending).toBe(0);
});

test("a stalled reader delays nobody, and gets every line when it continues", () => {
  const clock = new FakeClock();
  const { write, state, text } = reader();
  const log = createLogWriter(clock, write);
  state.room = 5;
  for (let count = 0; count < 100; count += 1) log.write(`line ${count}`);
  clock.advance(1000);
  expect(text()).toBe("line ");
  state.room = Number.POSITIVE_INFINITY;
  clock.advance(1000);
  expect(text()).toBe(Array.from({ length: 100 }, (_, count) => `line ${count}\n`).join(""));
});

test("lines beyond the bound are dropped, and their number is logged when the reader continues", () => {
  const clock = new FakeClock();
  const { write, state, text } = reader();
  const log = createLogWriter(clock, write);
  state.room = 0;
  const line = "x".repeat(1000);
  for (let count = 0; count < 10_000; count += 1) log.write(line);
  clock.advance(1000);
  state.room = Number.POSITIVE_INFINITY;
  clock.advance(1000);
  log.write("back");
  clock.advance(1000);
  const lines = text().trimEnd().split("\n");
  const dropped = lines
    .map((each) => each.match(/"log.dropped","lines":(\d+)/)?.[1])
    .find((each) => each !== undefined);
  expect(Number(dropped) + lines.length - 2).toBe(10_000);
  expect(lines.at(-1)).toBe("back");
});
