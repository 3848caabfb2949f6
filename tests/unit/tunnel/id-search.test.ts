import { expect, test } from "bun:test";
import { HOLDER_ANSWER_MS, type IdHolder, IdSearch, MAX_SHARING, sharedId } from "../../../src/tunnel/id-search.ts";
import { isId } from "../../../src/wire/names.ts";
import { FakeClock } from "../../support/fake-clock.ts";

class Holder implements IdHolder {
  lastHeardAt: number;
  pings = 0;
  readonly #clock: FakeClock;
  readonly #answersAfterMs: number;

  constructor(clock: FakeClock, answersAfterMs: number) {
    this.#clock = clock;
    this.#answersAfterMs = answersAfterMs;
    this.lastHeardAt = clock.elapsed();
  }

  ping(): void {
    this.pings += 1;
    if (this.#answersAfterMs === Number.POSITIVE_INFINITY) return;
    this.#clock.after(this.#answersAfterMs, () => {
      this.lastHeardAt = this.#clock.elapsed();
    });
  }
}

const NEVER = Number.POSITIVE_INFINITY;

/**
 * A search for an id of `box`; `answers` are the times after which the holders of `box`, `box.2` and so on answer a ping.
 */
function start(...answers: number[]) {
  const clock = new FakeClock();
  const holders = new Map(answers.map((ms, at) => [sharedId("box", at + 1), new Holder(clock, ms)]));
  const found: (string | undefined)[] = [];
  const search = new IdSearch({
    said: "box",
    holderOf: (id) => holders.get(id),
    clock,
    onFound: (id) => found.push(id),
  });
  return { clock, holders, found, search };
}

test("an agent whose id is held by a living session gets the next number", () => {
  const { clock, found } = start(1);
  expect(found).toEqual([]);
  clock.advance(200);
  expect(found).toEqual(["box.2"]);
  expect(clock.pending).toBe(0);
});

test("a number whose holder has gone is given again", () => {
  const { clock, holders, found } = start(1, 1, 1);
  holders.delete("box.2");
  clock.advance(200);
  expect(found).toEqual(["box.2"]);
});

test("a holder that does not answer gives its id to the newcomer, after the time that a busy one may need", () => {
  const { clock, found } = start(NEVER);
  clock.advance(HOLDER_ANSWER_MS - 1);
  expect(found).toEqual([]);
  clock.advance(101);
  expect(found).toEqual(["box"]);
});

test("a holder that answers late keeps its id", () => {
  const { clock, found } = start(HOLDER_ANSWER_MS - 200);
  clock.advance(HOLDER_ANSWER_MS);
  expect(found).toEqual(["box.2"]);
});

test("a holder that leaves while it is asked gives its id to the newcomer at once", () => {
  const { clock, holders, found } = start(NEVER);
  clock.advance(1000);
  holders.delete("box");
  clock.advance(100);
  expect(found).toEqual(["box"]);
});

test("the first holder that does not answer gives its id, although those before it live", () => {
  const { clock, found } = start(1, NEVER, 1);
  clock.advance(HOLDER_ANSWER_MS + 100);
  expect(found).toEqual(["box.2"]);
});

test("a session that took a number during the search keeps it", () => {
  const { clock, holders, found } = start(50);
  clock.advance(10);
  holders.set("box.2", new Holder(clock, NEVER));
  clock.advance(200);
  expect(found).toEqual(["box.3"]);
});

test("agents that share one id are bounded", () => {
  const { clock, holders, found } = start(...Array.from({ length: MAX_SHARING }, () => 1));
  expect([...holders.values()].every(({ pings }) => pings === 1)).toBe(true);
  clock.advance(200);
  expect(found).toEqual([undefined]);
});

test("messages are held in order and within limits, and none after the end", () => {
  const { search } = start(NEVER);
  expect(search.hold("one")).toBe(true);
  expect(search.hold(new Uint8Array([2]))).toBe(true);
  expect(search.takeHeld()).toEqual(["one", new Uint8Array([2])]);
  expect(search.takeHeld()).toEqual([]);
  for (let count = 0; count < 64; count += 1) expect(search.hold("x")).toBe(true);
  expect(search.hold("x")).toBe(false);
  expect(start(NEVER).search.hold("x".repeat(256 * 1024 + 1))).toBe(false);
});

test("a search that is stopped finds nothing", () => {
  const { clock, found, search } = start(1);
  search.stop();
  search.stop();
  clock.advance(HOLDER_ANSWER_MS * 2);
  expect(found).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("numbered ids are ids, whatever their length", () => {
  for (const said of ["a", "x".repeat(126), "x".repeat(128)]) {
    const ids = Array.from({ length: MAX_SHARING }, (_, at) => sharedId(said, at + 1));
    expect(ids.filter((id) => !isId(id))).toEqual([]);
    expect(new Set(ids).size).toBe(MAX_SHARING);
  }
});
