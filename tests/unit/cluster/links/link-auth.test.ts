import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  createLinkKey,
  createNonce,
  type Dial,
  DialGuard,
  isProof,
  proofOf,
  signDial,
} from "../../../../src/cluster/links/link-auth.ts";
import { times } from "../../../support/times.ts";

const KEY = createLinkKey();
const B = { id: "b", epoch: "eb" };

function dial(changes: Partial<Dial> = {}): Dial {
  return { from: { id: "a", epoch: "ea" }, to: B, time: 1000, nonce: createNonce(), ...changes };
}

test("a dial with the right key is accepted once", () => {
  const guard = new DialGuard(B, KEY);
  const header = signDial(dial(), KEY);
  expect(guard.accept(header)).toMatchObject({ from: { id: "a" }, time: 1000 });
  expect(guard.accept(header)).toBe("replayed");
});

test("a later dial is accepted, an earlier one is not, and other runs and servers are judged by themselves", () => {
  const guard = new DialGuard(B, KEY);
  const accept = (changes: Partial<Dial>) => {
    const result = guard.accept(signDial(dial(changes), KEY));
    return typeof result === "string" ? result : "accepted";
  };
  expect(accept({ time: 5000 })).toBe("accepted");
  expect(accept({ time: 4999 })).toBe("replayed");
  expect(accept({ time: 5000 })).toBe("replayed");
  expect(accept({ time: 5001 })).toBe("accepted");
  expect(accept({ from: { id: "a", epoch: "later" }, time: 1 })).toBe("accepted");
  expect(accept({ from: { id: "c", epoch: "ec" }, time: 1 })).toBe("accepted");
  // A clock that is an hour off is no obstacle: times of different servers are never compared.
  expect(accept({ from: { id: "c", epoch: "ec" }, time: 3_600_001 })).toBe("accepted");
});

test.each<readonly [string, Partial<Dial>]>([
  ["another server", { to: { id: "c", epoch: "eb" } }],
  ["an earlier run", { to: { id: "b", epoch: "earlier" } }],
  ["itself", { from: { id: "b", epoch: "other" } }],
])("a dial for %s is refused", (_what, changes) => {
  expect(new DialGuard(B, KEY).accept(signDial(dial(changes), KEY))).toBe("for another server");
});

test("a dial with another key is refused, and does not count as a dial of that server", () => {
  const guard = new DialGuard(B, KEY);
  expect(guard.accept(signDial(dial({ time: 9_000_000 }), createLinkKey()))).toBe("wrong key");
  expect(typeof guard.accept(signDial(dial(), KEY))).toBe("object");
});

test("a dial of which anything was changed is refused", () => {
  const header = signDial(dial(), KEY);
  const json = JSON.parse(Buffer.from(header.slice("Moorage-Link ".length), "base64url").toString());
  for (const changed of [
    { ...json, time: 1001 },
    { ...json, nonce: createNonce() },
    { ...json, from: { id: "c", epoch: "ea" } },
    { ...json, from: { id: "a", epoch: "eaa" } },
    { ...json, mac: "" },
  ]) {
    const forged = `Moorage-Link ${Buffer.from(JSON.stringify(changed)).toString("base64url")}`;
    expect(new DialGuard(B, KEY).accept(forged)).toBe("wrong key");
  }
});

test("a dial whose facts would read the same in another place is refused", () => {
  const signed = dial({ from: { id: "a", epoch: "x" } });
  const shifted = { ...signed, from: { id: "a-x", epoch: "" } };
  const guard = new DialGuard(B, KEY);
  expect(typeof guard.accept(signDial(shifted, KEY))).toBe("string");
});

test("no header, garbage and headers of any length are refused without an error", () => {
  const guard = new DialGuard(B, KEY);
  expect(guard.accept(null)).toBe("no credentials");
  expect(guard.accept("Bearer x")).toBe("no credentials");
  expect(guard.accept(`Moorage-Link ${"A".repeat(10_000)}`)).toBe("no credentials");
  const anything = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json().map((text) => Buffer.from(text).toString("base64url")),
    fc
      .record({ from: fc.anything(), to: fc.anything(), time: fc.anything(), nonce: fc.anything(), mac: fc.anything() })
      .map((value) => Buffer.from(JSON.stringify(value) ?? "").toString("base64url")),
  );
  fc.assert(
    fc.property(anything, (text) => {
      expect(guard.accept(`Moorage-Link ${text}`)).toBe("no credentials");
    }),
    { numRuns: times(300) },
  );
});

test("the server that was dialled proves that it has the key, for this dial alone", () => {
  const first = dial();
  const proof = proofOf(first, KEY);
  expect(isProof(proof, first, KEY)).toBe(true);
  expect(isProof(proof, dial(), KEY)).toBe(false);
  expect(isProof(proofOf(first, createLinkKey()), first, KEY)).toBe(false);
  expect(isProof(undefined, first, KEY)).toBe(false);
  // What the server that dials has sent is no proof.
  const { mac } = JSON.parse(Buffer.from(signDial(first, KEY).slice("Moorage-Link ".length), "base64url").toString());
  expect(isProof(mac, first, KEY)).toBe(false);
});
