import { expect, test } from "bun:test";
import fc from "fast-check";
import { JsonEnd } from "../../../src/json/json-end.ts";

const encoder = new TextEncoder();

function mayEnd(...pieces: readonly string[]): boolean {
  const end = new JsonEnd();
  for (const piece of pieces) end.push(encoder.encode(piece));
  return end.mayEnd;
}

test("any whole JSON document may end, however it is cut, and no document that is cut in an object, array or string may", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(), (value, at) => {
      const text = `${JSON.stringify({ value }, null, 1)}\n`;
      expect(mayEnd(text)).toBe(true);
      expect(mayEnd(...text)).toBe(true);
      const cut = at % (text.length - 1);
      expect(mayEnd(text.slice(0, cut))).toBe(false);
    }),
  );
});

test.each([
  ["nothing", "", false],
  ["blanks", " \n", false],
  ["a string that contains brackets", '"}]"', true],
  ["a string with an escaped quote", '"a\\"', false],
  ["a number, which cannot be judged", "12", true],
])("%s: %p may end: %p", (_, text, expected) => {
  expect(mayEnd(text)).toBe(expected);
});
