import { describe, expect, test } from "bun:test";
import { AcceptPace } from "../../../src/tunnel/accept-pace.ts";
import { TurnShare } from "../../../src/tunnel/turn-share.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { turn } from "../../support/turn.ts";

/** Its timers run late. */
class LateClock extends FakeClock {
  lateMs = 0;

  override elapsed(): number {
    return super.elapsed() + this.lateMs;
  }
}

describe("workers that connect all at once", () => {
  test("are accepted without a wait while they are few", () => {
    const pace = new AcceptPace(new FakeClock());
    for (let each = 0; each < 100; each += 1) expect(pace.turn()).toBeUndefined();
    expect(pace.turn()).toBeInstanceOf(Promise);
  });

  test("are accepted at a bounded rate, in order, up to the last one", async () => {
    const clock = new FakeClock();
    const pace = new AcceptPace(clock);
    const taken: number[] = [];
    for (let each = 0; each < 10_000; each += 1) {
      const turn = pace.turn();
      if (turn === undefined) taken.push(each);
      else void turn.then(() => taken.push(each));
    }
    let longestTurn = 0;
    let passedMs = 0;
    while (pace.waiting > 0) {
      const before = taken.length;
      clock.advance(10);
      passedMs += 10;
      await turn();
      longestTurn = Math.max(longestTurn, taken.length - before);
    }
    expect(taken).toEqual(Array.from({ length: 10_000 }, (_, each) => each));
    // 9,900 at 1,500 a second; a worker gives up after 10 s.
    expect(passedMs).toBeGreaterThan(6000);
    expect(passedMs).toBeLessThan(7000);
    expect(longestTurn).toBeLessThanOrEqual(30);
  });

  test("are not accepted in a burst after a late timer", async () => {
    const clock = new LateClock();
    const pace = new AcceptPace(clock);
    for (let each = 0; each < 1000; each += 1) void pace.turn();
    clock.lateMs = 1000;
    clock.advance(10);
    await turn();
    expect(pace.waiting).toBeGreaterThanOrEqual(1000 - 100 - 30);
  });
});

describe("much small work at once", () => {
  test("is done at once while it is little, and otherwise spread over turns in order", () => {
    const clock = new FakeClock();
    const share = new TurnShare(clock);
    const done: number[] = [];
    for (let each = 0; each < 200; each += 1) share.do(() => done.push(each));
    expect(done).toHaveLength(64);
    clock.advance(1);
    expect(done).toHaveLength(128);
    share.do(() => done.push(200));
    for (let turn = 0; turn < 3; turn += 1) clock.advance(1);
    expect(done).toEqual(Array.from({ length: 201 }, (_, each) => each));
    share.do(() => done.push(201));
    expect(done.at(-1)).toBe(201);
  });
});
