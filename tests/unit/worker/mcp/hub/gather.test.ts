import { expect, test } from "bun:test";
import { gather, type Question } from "../../../../../src/worker/mcp/hub/gather.ts";
import { Member } from "../../../../../src/worker/mcp/hub/member.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

function rig(count: number) {
  const clock = new FakeClock();
  const openPeer = () => {
    throw new Error("nothing is opened here");
  };
  const members = Array.from({ length: count }, (_, at) => {
    return new Member({ key: `s${at}`, openPeer, maybeStateless: false }, `s${at}`, clock);
  });
  const ask = () => {
    const takes: ((answer: string) => void)[] = [];
    const cancelled: number[] = [];
    const done: (readonly string[])[] = [];
    const late: string[] = [];
    const questions = members.map((member, at): Question<string> => {
      return {
        member,
        ask: (take) => {
          takes[at] = take;
          return () => cancelled.push(at);
        },
      };
    });
    const cancel = gather(questions, {
      clock,
      onDone: (answers) => done.push([...answers.values()]),
      onLate: (_member, answer) => late.push(answer),
    });
    return { takes, cancelled, done, late, cancel };
  };
  return { clock, members, ask };
}

test("the answer comes with the last server's", () => {
  const { ask } = rig(2);
  const { takes, done } = ask();
  takes[1]?.("b");
  expect(done).toEqual([]);
  takes[0]?.("a");
  expect(done).toEqual([["b", "a"]]);
});

test("a server that hangs delays one answer, and hardly the next", () => {
  const { clock, ask } = rig(3);
  const first = ask();
  first.takes[0]?.("a");
  first.takes[1]?.("b");
  clock.advance(9999);
  expect(first.done).toEqual([]);
  clock.advance(1);
  expect(first.done).toEqual([["a", "b"]]);
  const second = ask();
  clock.advance(1000);
  second.takes[0]?.("a");
  second.takes[1]?.("b");
  clock.advance(250);
  expect(second.done).toEqual([["a", "b"]]);
});

test("a late answer is told, and its server is waited for again once it is in time", () => {
  const { clock, members, ask } = rig(2);
  const first = ask();
  first.takes[0]?.("a");
  clock.advance(10_000);
  first.takes[1]?.("late");
  expect(first.late).toEqual(["late"]);
  expect(members[1]?.isTrusted).toBe(false);
  const second = ask();
  second.takes[1]?.("b");
  second.takes[0]?.("a");
  expect(second.done).toEqual([["b", "a"]]);
  expect(members[1]?.isTrusted).toBe(true);
});

test("the extra wait for those that were late before begins once", () => {
  const { clock, members, ask } = rig(5);
  for (const member of members.slice(1)) member.isTrusted = false;
  const { takes, done } = ask();
  clock.advance(1000);
  takes[0]?.("a");
  clock.advance(240);
  takes[1]?.("b");
  clock.advance(9);
  takes[2]?.("c");
  expect(done).toEqual([]);
  clock.advance(1);
  expect(done).toEqual([["a", "b", "c"]]);
});

test("a single server that was late is waited for", () => {
  const { clock, ask } = rig(1);
  ask();
  clock.advance(10_000);
  const again = ask();
  clock.advance(9000);
  again.takes[0]?.("a");
  expect(again.done).toEqual([["a"]]);
});

test("cancelling cancels every question, and nothing comes after it", () => {
  const { clock, ask } = rig(2);
  const { cancel, cancelled, done } = ask();
  cancel();
  clock.advance(20_000);
  expect(cancelled).toEqual([0, 1]);
  expect(done).toEqual([]);
});

test("a question without an answer is cancelled in the end, and leaves no timer", () => {
  const { clock, ask } = rig(3);
  const { takes, cancelled } = ask();
  takes[0]?.("a");
  clock.advance(10_000);
  takes[1]?.("b");
  clock.advance(59_999);
  expect(cancelled).toEqual([]);
  clock.advance(1);
  expect(cancelled).toEqual([2]);
  expect(clock.pending).toBe(0);
});

test("no timer is left once all late answers have come", () => {
  const { clock, ask } = rig(2);
  const { takes, cancelled, late } = ask();
  takes[0]?.("a");
  clock.advance(10_000);
  takes[1]?.("b");
  expect(late).toEqual(["b"]);
  expect(clock.pending).toBe(0);
  expect(cancelled).toEqual([]);
});
