import { expect, test } from "bun:test";
import type { KeyCharge } from "../../../src/limits/charge.ts";
import type { Charged } from "../../../src/limits/charges.ts";
import { KeyCharges } from "../../../src/limits/charges.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const TEAM = { keyId: "a", tenant: "team" };
const NEEDS = { inputTokens: 10, maxOutput: 20 };

function create(): KeyCharges {
  return new KeyCharges({ clock: new FakeClock(), usedSince: () => 0 });
}

function open(charges: KeyCharges, caller: Charged): KeyCharge | undefined {
  return charges.open(caller, () => NEEDS);
}

/** Admits a request, and returns the limit that holds the next one. */
function limitAfterOne(charges: KeyCharges, caller: Charged): string | undefined {
  open(charges, caller)?.admit();
  return open(charges, caller)?.admissionHold()?.limit;
}

test("a caller without a made key, or without any limits, has no charge, and nothing is asked of its request", () => {
  const charges = create();
  const needs = () => {
    throw new Error("asked");
  };
  charges.set("b", { requestsPerMinute: 1 });
  charges.set("b", {});
  for (const keyId of [undefined, "a", "b"]) expect(charges.open({ keyId, tenant: "team" }, needs)).toBeUndefined();
});

test("limits that are set, changed or removed hold for the next request of a key", () => {
  const charges = create();
  charges.set("a", { requestsPerMinute: 1 });
  expect(limitAfterOne(charges, TEAM)).toBe("requests_per_minute");
  charges.set("a", { requestsPerMinute: 1000 });
  expect(limitAfterOne(charges, TEAM)).toBeUndefined();
  charges.setTenant("team", { requestsPerMinute: 1 });
  expect(limitAfterOne(charges, TEAM)).toBe("tenant.requests_per_minute");
  charges.setTenant("team", {});
  expect(limitAfterOne(charges, TEAM)).toBeUndefined();
  charges.delete("a");
  expect(open(charges, TEAM)).toBeUndefined();
});

test("a key that moves to another tenant shares the limits of that one", () => {
  const charges = create();
  charges.setTenant("team", { requestsPerMinute: 1 });
  charges.setTenant("lab", { tokensPerMinute: 20 });
  expect(limitAfterOne(charges, TEAM)).toBe("tenant.requests_per_minute");
  expect(limitAfterOne(charges, { keyId: "a", tenant: "lab" })).toBe("tenant.tokens_per_minute");
  expect(open(charges, { keyId: "a", tenant: "other" })).toBeUndefined();
});

test("a request is settled once, and not at all if it was never admitted", () => {
  const charges = create();
  charges.set("a", { tokensPerDay: 1000 });
  const used = () => charges.allowances.of("a")?.states()[0]?.used;
  const charge = open(charges, TEAM);
  charge?.settle({ tokens: 30, audioSeconds: 0 });
  expect(used()).toBe(0);
  charge?.admit();
  charge?.settle({ tokens: 30, audioSeconds: 0 });
  charge?.settle({ tokens: 30, audioSeconds: 0 });
  expect(used()).toBe(30);
  expect(charges.allowances.of("a")?.isInUse).toBe(false);
});
