import { expect, test } from "bun:test";
import { createCaller } from "../../../src/auth/caller.ts";
import { EndUsers, OTHER_END_USERS } from "../../../src/models/end-users.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const ALICE = createCaller("alice");
const DORA = createCaller("dora");

test("an end user has one digest, and another one under another caller or on a server with another secret", () => {
  const clock = new FakeClock();
  const endUsers = new EndUsers(() => "secret", clock);
  const bob = endUsers.digestOf(ALICE, "bob");
  expect(bob).toMatch(/^[\w-]{12}$/);
  expect(endUsers.digestOf(ALICE, "bob")).toBe(bob);
  const others = [
    endUsers.digestOf(ALICE, "bobby"),
    endUsers.digestOf(DORA, "bob"),
    new EndUsers(() => "other", clock).digestOf(ALICE, "bob"),
  ];
  expect(new Set([bob, ...others]).size).toBe(4);
});

test("the first thousand end users of a caller are told apart, and those beyond count as one until some have been idle", () => {
  const clock = new FakeClock();
  const endUsers = new EndUsers(() => "secret", clock);
  const digests = Array.from({ length: 1000 }, (_, at) => endUsers.digestOf(ALICE, `user ${at}`));
  expect(new Set(digests).size).toBe(1000);
  expect(endUsers.digestOf(ALICE, "one more")).toBe(OTHER_END_USERS);
  expect(endUsers.digestOf(ALICE, "and another")).toBe(OTHER_END_USERS);
  expect(endUsers.digestOf(ALICE, "user 0")).toBe(digests[0] ?? "");
  expect(endUsers.digestOf(DORA, "one more")).not.toBe(OTHER_END_USERS);
  clock.advance(300_000);
  expect(endUsers.digestOf(ALICE, "user 7")).toBe(digests[7] ?? "");
  clock.advance(300_000);
  expect(endUsers.digestOf(ALICE, "one more")).not.toBe(OTHER_END_USERS);
  expect(endUsers.size).toBe(3);
});

test("callers with invented end users fill no memory", () => {
  const endUsers = new EndUsers(() => "secret", new FakeClock());
  for (let caller = 0; caller < 120; caller += 1)
    for (let at = 0; at < 1001; at += 1) endUsers.digestOf({ name: `caller ${caller}` }, `user ${at}`);
  expect(endUsers.size).toBeLessThanOrEqual(100_000);
});
