import { expect, test } from "bun:test";
import { estimatedBits, isWeakKey } from "../../../src/system/key-strength.ts";

test.each([
  ["openssl rand -hex 16", "8f1c22e07a6b4d39b05f6e1d2c3a4b59"],
  ["openssl rand -base64 16", "r3dT2xkP0yQmWvJ8sZbN1A=="],
  ["128 bits in base64url", "r3dT2xkP0yQmWvJ8sZbN1A"],
  ["128 bits in base64url that happen to have no digit", "rIdTIxkPOyQmWvJLsZbN_A"],
])("a key from %s has at least 128 bits", (_source, key) => {
  expect(estimatedBits(key)).toBeGreaterThanOrEqual(128);
  expect(isWeakKey(key)).toBe(false);
});

test.each(["1", "s3cret", "hunter2", "12345678901234567890123456789012", "8f1c22e07a6b4d39", "correct horse"])(
  "the key %j has fewer than 128 bits",
  (key) => {
    expect(isWeakKey(key)).toBe(true);
  },
);
