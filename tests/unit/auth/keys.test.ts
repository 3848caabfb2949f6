import { expect, test } from "bun:test";
import { createKeySet } from "../../../src/auth/keys.ts";

test("a key set compares every key with the given one, also after a match", () => {
  // With an early exit the first of the equal keys would be found.
  expect(createKeySet(["one", "two", "one", "three"]).find("one")).toBe(2);
});

test("a key set finds no key for a text of any other length or content", () => {
  const keys = createKeySet(["one", "two"]);
  for (const text of ["", "on", "onetwo", "One", "one "]) expect(keys.find(text)).toBe(-1);
});
