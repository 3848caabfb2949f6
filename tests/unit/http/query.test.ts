import { expect, test } from "bun:test";
import { countIn, queryOf, wordIn } from "../../../src/http/query.ts";

const read = (text: string) => queryOf({ url: `http://127.0.0.1/${text}` });

test("a parameter is trimmed, and one that is missing or empty is undefined", () => {
  const query = read("?who=%20ada+lovelace%20&what=&about=%20");
  expect([query("who"), query("what"), query("about"), query("limit")]).toEqual([
    "ada lovelace",
    undefined,
    undefined,
    undefined,
  ]);
  expect(read("")("who")).toBeUndefined();
});

test("a count is a whole number within its bounds, and anything else is refused with its name", () => {
  expect(countIn(read("?limit=1000"), "limit", 1000)).toBe(1000);
  expect(countIn(read(""), "limit", 1000)).toBeUndefined();
  for (const text of ["0", "1001", "-1", "1.5", "ten", "1e2", "9".repeat(400)])
    expect(() => countIn(read(`?limit=${text}`), "limit", 1000)).toThrow(
      "'limit' must be a whole number from 1 to 1000.",
    );
});

test("a word is one of those that are allowed, which an error lists", () => {
  expect(wordIn(read("?step=day"), "step", ["hour", "day"])).toBe("day");
  expect(wordIn(read(""), "step", ["hour", "day"])).toBeUndefined();
  expect(() => wordIn(read("?step=week"), "step", ["hour", "day"])).toThrow("'step' must be one of hour, day.");
  expect(() => wordIn(read("?outcome=all"), "outcome", ["failed"])).toThrow("'outcome' must be failed.");
});
