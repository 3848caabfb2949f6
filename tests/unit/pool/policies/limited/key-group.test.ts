import { expect, test } from "bun:test";
import { createCaller } from "../../../../../src/auth/caller.ts";
import { KeyCharges } from "../../../../../src/limits/charges.ts";
import type { Charge } from "../../../../../src/pool/charge.ts";
import { NONE_EXCLUDED } from "../../../../../src/pool/excluded.ts";
import { KeyGroup } from "../../../../../src/pool/policies/limited/key-group.ts";
import { WaitingKey } from "../../../../../src/pool/policies/limited/waiting-key.ts";
import type { Ticket } from "../../../../../src/pool/ticket.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const charges = new KeyCharges({ clock: new FakeClock(), usedSince: () => 0 });
charges.setTenant("team", { requestsPerMinute: 1 });
let number = 0;

function chargeOf(keyId: string): Charge {
  const charge = charges.open({ keyId, tenant: "team" }, () => ({ inputTokens: 0, maxOutput: 0 }));
  if (!charge) throw new Error("the tenant has limits");
  return charge;
}

/** A key with so many pending tickets. */
function keyWith(keyId: string, tickets: number, weight = 1): WaitingKey {
  const caller = { ...createCaller(keyId), weight };
  const key = new WaitingKey(caller, chargeOf(keyId));
  for (let count = 0; count < tickets; count += 1) key.addPending(ticketOf(key));
  return key;
}

function ticketOf({ caller, charge }: WaitingKey): Ticket {
  number += 1;
  const demand = { model: "m", exact: false, excluded: NONE_EXCLUDED };
  return { number, caller, charge, demand, class: "normal", endUser: undefined, arrivedAt: 0, wasAccepted: false };
}

/** Admits so many tickets, one after the other. Returns whose they were. */
function admit(group: KeyGroup, count: number, after: (key: WaitingKey) => void = () => {}): string[] {
  return Array.from({ length: count }, () => {
    const [key] = group.inTurn();
    if (!key) return "none";
    key.pending.shift();
    group.admit(key);
    after(key);
    return key.charge.keyId;
  });
}

test("keys take turns, by their weights", () => {
  const group = new KeyGroup();
  for (const key of [keyWith("a", 9), keyWith("b", 9), keyWith("heavy", 9, 2)]) group.keys.add(key);
  const order = admit(group, 12);
  expect(["a", "b", "heavy"].map((id) => order.filter((each) => each === id).length)).toEqual([3, 3, 6]);
  expect(new Set(order.slice(0, 3)).size).toBe(3);
});

test("a key that sends one request after the other alternates with one that has many pending", () => {
  const group = new KeyGroup();
  group.keys.add(keyWith("many", 20));
  group.keys.add(keyWith("single", 1));
  const order = admit(group, 10, (key) => {
    if (key.charge.keyId !== "single") return;
    group.keys.delete(key);
    group.keys.add(keyWith("single", 1));
  });
  expect(order.filter((id) => id === "single").length).toBe(5);
});

test("a key that has waited for nothing comes after those that were admitted before, and gains nothing by that", () => {
  const group = new KeyGroup();
  group.keys.add(keyWith("early", 20));
  admit(group, 10);
  group.keys.add(keyWith("late", 20));
  const order = admit(group, 10);
  expect(order.filter((id) => id === "late").length).toBe(5);
});

test("a newcomer knows how many of the others are admitted before it", () => {
  const group = new KeyGroup();
  for (const key of [keyWith("a", 20), keyWith("heavy", 20, 3), keyWith("b", 1)]) group.keys.add(key);
  expect(group.aheadOf(createCaller("new"), 0)).toBe(1 + 3 + 1);
  expect(group.aheadOf(createCaller("b"), 1)).toBe(1 + 2 + 6);
});
