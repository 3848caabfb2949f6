import { expect, test } from "bun:test";
import fc from "fast-check";
import { countNumbers } from "../../../src/json/numbers.ts";
import { times } from "../../support/times.ts";

const count = (text: string): number | undefined => {
  const bytes = new TextEncoder().encode(text);
  return countNumbers(bytes, 0, bytes.length);
};

test("numbers in arrays are counted, with white space in any legal place", () => {
  const number = fc.oneof(fc.double({ min: -1e90, max: 1e90, noNaN: true }), fc.integer());
  fc.assert(
    fc.property(fc.array(number, { minLength: 1 }), fc.constantFrom("", " ", "\n\t"), (numbers, space) => {
      // JSON.stringify writes some exponents with three digits, which countNumbers leaves to the parser.
      fc.pre(!/e[+-]?\d{3}/.test(JSON.stringify(numbers)));
      expect(count(`[${space}${numbers.map((each) => JSON.stringify(each)).join(`${space},${space}`)}${space}]`)).toBe(
        numbers.length,
      );
    }),
  );
});

test("text whose numbers are counted is JSON with that many finite numbers", () => {
  const junk = fc.array(fc.constantFrom("[", "]", "1", "0", "-", "+", ".", "e", "E", ",", " ", "null", '"'), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(junk, (pieces) => {
      const text = `[${pieces.join("")}]`;
      const counted = count(text);
      if (counted === undefined) return;
      const parsed: unknown = JSON.parse(text);
      expect(Array.isArray(parsed) && parsed.length === counted && parsed.every(Number.isFinite)).toBe(true);
    }),
    { numRuns: times(20_000) },
  );
});

test.each([
  "[]",
  "[1,]",
  "[,1]",
  "[01]",
  "[1.]",
  "[.5]",
  "[+1]",
  "[1e]",
  "[--1]",
  "[1 2]",
  "[null]",
  '["1"]',
  "[[1]]",
  "[1e999]",
  "[1",
  "1]",
  "",
])("the numbers of %j are not counted", (text) => {
  expect(count(text)).toBeUndefined();
});
