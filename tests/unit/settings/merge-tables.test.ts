import { expect, test } from "bun:test";
import { line } from "../../../src/settings/kinds.ts";
import { mergeTables } from "../../../src/settings/merge-tables.ts";
import { type Place, setting } from "../../../src/settings/setting.ts";

const row = (variable: string, place?: Place) =>
  setting(line(9), { variable, default: "x", help: "It.", ...(place && { place }) });
const OWN = { a: row("A"), b: row("B"), c: row("C") };

test("the settings of a part stand at their place and follow each other up to the next place", () => {
  const merged = mergeTables(OWN, [
    { one: row("ONE", { after: "A" }), two: row("TWO"), three: row("THREE", { before: "C" }) },
    { four: row("FOUR", { after: "A" }) },
    { five: row("FIVE"), six: row("SIX", { before: "C" }) },
  ]);
  expect(Object.keys(merged)).toEqual(["a", "one", "two", "four", "b", "three", "six", "c", "five"]);
  expect(Object.keys(mergeTables(OWN, []))).toEqual(["a", "b", "c"]);
});

test("two settings of one name, or a place beside a missing setting, are refused", () => {
  expect(() => mergeTables(OWN, [{ a: row("OTHER") }])).toThrow("two settings a (OTHER)");
  expect(() => mergeTables(OWN, [{ other: row("B") }])).toThrow("two settings other (B)");
  expect(() => mergeTables(OWN, [{ one: row("ONE") }, { one: row("TWO") }])).toThrow("two settings one");
  expect(() => mergeTables(OWN, [{ one: row("ONE", { after: "NONE" }) }])).toThrow("ONE");
});
