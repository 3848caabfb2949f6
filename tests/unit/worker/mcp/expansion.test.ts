import { expect, test } from "bun:test";
import { Expansion } from "../../../../src/worker/mcp/expansion.ts";

const env = { HOME: "/home/me", EMPTY: "" };
const variable = (text: string): string => text.replaceAll("<", "${").replaceAll(">", "}");

test.each([
  ["<HOME>/x", "/home/me/x"],
  ["<env:HOME>", "/home/me"],
  ["<NONE:-else>", "else"],
  ["<EMPTY:-else>", ""],
  ["a $HOME and {HOME}", "a $HOME and {HOME}"],
])("%s becomes %j", (text, filled) => {
  const expansion = new Expansion(env);
  expect(expansion.fill(variable(text))).toBe(filled);
  expect(expansion.faults).toEqual([]);
});

test.each([
  ["<NONE>", "the variable NONE is not set"],
  ["<input:key>", "<input:key> is not known: only <NAME> and <NAME:-default> are"],
])("%s is a fault", (text, fault) => {
  const expansion = new Expansion(env);
  expansion.fill(variable(text));
  expect(expansion.faults).toEqual([variable(fault)]);
});
