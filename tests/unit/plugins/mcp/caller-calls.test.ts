import { expect, test } from "bun:test";
import { Fault } from "../../../../src/errors.ts";
import { CallerCalls } from "../../../../src/plugins/mcp/caller-calls.ts";

function callOf(keyId: string | undefined, grantId: string | undefined, isUnchanged = true) {
  const ends: string[] = [];
  const end = (fault: Fault): void => void ends.push(fault.code);
  const endListening = (): void => void ends.push("listening");
  return { ends, call: { keyId, grantId, isUnchanged: () => isUnchanged, end, endListening } };
}

test("the calls of a key that has ended are ended, and streams of one that allows something else", () => {
  const calls = new CallerCalls();
  const [ann, bob, listed, changed] = [
    callOf("a", undefined),
    callOf("b", "g"),
    callOf(undefined, undefined),
    callOf("c", undefined, false),
  ];
  for (const { call } of [ann, bob, listed, changed]) calls.add(call);
  calls.endRequests((keyId) => (keyId === "a" ? new Fault("key_revoked") : undefined));
  expect([ann.ends, bob.ends, listed.ends, changed.ends]).toEqual([["key_revoked"], [], [], ["listening"]]);
});

test("the calls of a grant that has ended are ended, and those of other grants are not", () => {
  const calls = new CallerCalls();
  const [running, other] = [callOf("a", "g1"), callOf("a", "g2")];
  calls.add(running.call);
  calls.add(other.call);
  calls.endGrant("g1");
  expect([running.ends, other.ends]).toEqual([["key_revoked"], []]);
});

test("a call that has ended is forgotten", () => {
  const calls = new CallerCalls();
  const leave = calls.add(callOf("a", undefined).call);
  expect(calls.size).toBe(1);
  leave();
  expect(calls.size).toBe(0);
});
