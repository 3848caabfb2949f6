import { expect, test } from "bun:test";
import { type Beating, Heartbeat } from "../../../src/tunnel/heartbeat.ts";
import type { Close } from "../../../src/wire/closes.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const INTERVAL = 15_000;
const STEP = INTERVAL / 15;

class Member implements Beating {
  readonly pingedAt: number[] = [];
  readonly closes: string[] = [];
  lastHeardAt: number;
  readonly #clock: FakeClock;
  /** Answers every ping at once. */
  answers = true;
  leave: () => void = () => {};

  constructor(clock: FakeClock) {
    this.#clock = clock;
    this.lastHeardAt = clock.elapsed();
  }

  ping(): void {
    this.pingedAt.push(this.#clock.elapsed());
    if (this.answers) this.lastHeardAt = this.#clock.elapsed();
  }

  close({ code, reason }: Close): void {
    this.closes.push(`${code} ${reason}`);
    this.leave();
  }
}

function start(count: number) {
  const clock = new FakeClock();
  const heartbeat = new Heartbeat(clock, INTERVAL);
  const members = Array.from({ length: count }, () => {
    const member = new Member(clock);
    member.leave = heartbeat.add(member);
    return member;
  });
  return { clock, heartbeat, members };
}

test("every member is pinged once per interval", () => {
  const { clock, members } = start(40);
  clock.advance(INTERVAL * 4);
  for (const { pingedAt, closes } of members) {
    expect(pingedAt.length).toBe(4);
    for (let at = 1; at < 4; at += 1) expect((pingedAt[at] ?? 0) - (pingedAt[at - 1] ?? 0)).toBe(INTERVAL);
    expect(closes).toEqual([]);
  }
});

test("pings are spread over the interval and never leave in one burst", () => {
  const { clock, members } = start(150);
  const bursts: number[] = [];
  for (let step = 0; step < 15; step += 1) {
    const before = members.reduce((sum, { pingedAt }) => sum + pingedAt.length, 0);
    clock.advance(STEP);
    bursts.push(members.reduce((sum, { pingedAt }) => sum + pingedAt.length, 0) - before);
  }
  expect(bursts).toEqual(Array.from({ length: 15 }, () => 10));
});

test("one timer serves any number of members, and does not run before the first", () => {
  expect(start(0).clock.pending).toBe(0);
  expect(start(1).clock.pending).toBe(1);
  expect(start(1000).clock.pending).toBe(1);
});

test("a member that is silent for three intervals is closed once and not pinged again", () => {
  const { clock, members } = start(30);
  const silent = members.filter((_, at) => at % 2 === 0);
  for (const member of silent) member.answers = false;
  clock.advance(INTERVAL * 3 - 1);
  expect(silent.every(({ closes }) => closes.length === 0)).toBe(true);
  clock.advance(1);
  expect(silent.every(({ closes }) => closes.length === 1)).toBe(true);
  const pings = silent.map(({ pingedAt }) => pingedAt.length);
  clock.advance(INTERVAL * 3);
  for (const { closes } of silent) expect(closes).toEqual(["4000 no sign of life"]);
  expect(silent.map(({ pingedAt }) => pingedAt.length)).toEqual(pings);
  expect(members.filter(({ closes }) => closes.length > 0).length).toBe(silent.length);
});

test("a silent member is closed at most one step after three intervals, whatever its place in the round", () => {
  for (const offset of [0, 1, STEP, INTERVAL / 2, INTERVAL - 1]) {
    const { clock, members } = start(15);
    clock.advance(INTERVAL + offset);
    for (const member of members) {
      member.answers = false;
      member.lastHeardAt = clock.elapsed();
    }
    clock.advance(INTERVAL * 3 - 1);
    expect(members.filter(({ closes }) => closes.length > 0).length).toBe(0);
    clock.advance(1 + STEP);
    expect(members.filter(({ closes }) => closes.length > 0).length).toBe(15);
  }
});

test("a member that is silent for four of its own heartbeats is closed, long before three intervals", () => {
  const { clock, members, heartbeat } = start(1);
  const beating = Object.assign(new Member(clock), { beatsEveryMs: 5000, answers: false });
  beating.leave = heartbeat.add(beating);
  clock.advance(19_999);
  expect(beating.closes).toEqual([]);
  clock.advance(1);
  expect(beating.closes).toEqual(["4000 no sign of life"]);
  expect(members[0]?.closes).toEqual([]);
});

test("a short interval of pings counts for a member with heartbeats of its own, too", () => {
  const { clock, heartbeat } = start(0);
  const beating = Object.assign(new Member(clock), { beatsEveryMs: 60_000, answers: false });
  beating.leave = heartbeat.add(beating);
  clock.advance(INTERVAL * 3);
  expect(beating.closes).toEqual(["4000 no sign of life"]);
});

test("after a time in which this process stood still, its members get one more step to be heard", () => {
  const { clock, heartbeat } = start(0);
  let beat = (): void => {};
  const stoppable = {
    now: () => clock.now(),
    elapsed: () => clock.elapsed(),
    after: clock.after.bind(clock),
    every: (_ms: number, callback: () => void) => {
      beat = callback;
      return () => {};
    },
  };
  heartbeat.stop();
  const thawed = new Heartbeat(stoppable, INTERVAL);
  const [speaks, silent] = [new Member(clock), new Member(clock)];
  for (const member of [speaks, silent]) member.leave = thawed.add(member);
  clock.advance(INTERVAL * 10);
  for (const member of [speaks, silent]) member.answers = false;
  beat();
  expect([...speaks.closes, ...silent.closes]).toEqual([]);
  speaks.lastHeardAt = clock.elapsed();
  clock.advance(STEP);
  beat();
  expect(speaks.closes).toEqual([]);
  expect(silent.closes).toEqual(["4000 no sign of life"]);
});

test("any message counts as a sign of life, not only a pong", () => {
  const { clock, members } = start(1);
  const [member] = members;
  if (!member) throw new Error("no member");
  member.answers = false;
  for (let count = 0; count < 10; count += 1) {
    clock.advance(INTERVAL * 2);
    member.lastHeardAt = clock.elapsed();
  }
  expect(member.closes).toEqual([]);
});

test("a member that left is neither pinged nor closed, and may leave twice", () => {
  const { clock, members } = start(2);
  const [gone, stays] = members;
  gone?.leave();
  gone?.leave();
  clock.advance(INTERVAL * 5);
  expect(gone?.pingedAt).toEqual([]);
  expect(gone?.closes).toEqual([]);
  expect(stays?.pingedAt.length).toBe(5);
});

test("a member that leaves because another is closed is neither pinged nor closed", () => {
  const { clock, heartbeat } = start(0);
  // Members 0 and 15 share a step.
  const members = Array.from({ length: 16 }, () => new Member(clock));
  for (const member of members) member.leave = heartbeat.add(member);
  const [first, last] = [members[0], members[15]];
  if (!first || !last) throw new Error("no member");
  for (const member of [first, last]) member.answers = false;
  const leave = first.leave;
  first.leave = () => {
    leave();
    last.leave();
  };
  clock.advance(INTERVAL * 5);
  expect(first.closes.length).toBe(1);
  expect(last.closes).toEqual([]);
});

test("a stopped heartbeat does nothing more", () => {
  const { clock, heartbeat, members } = start(3);
  heartbeat.stop();
  heartbeat.stop();
  clock.advance(INTERVAL * 10);
  expect(clock.pending).toBe(0);
  expect(members.every(({ pingedAt, closes }) => pingedAt.length + closes.length === 0)).toBe(true);
});
