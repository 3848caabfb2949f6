import { expect, test } from "bun:test";
import { Expansion } from "../../../../src/worker/mcp/expansion.ts";

const env = { HOME: "/home/me", EMPTY: "" };
const variable = (text: string): string => text.replaceAll("<", "${").replaceAll(">", "}");

test.each([
  ["<HOME>/x", "/home/me/x"],
  ["<env:HOME>", "/home/me"],
  ["<userHome>/y", "/home/me/y"],
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
  [
    "<input:key>",
    "<input:key> is a value that an editor asks for; put it into a variable of the environment, and write <NAME> instead",
  ],
  [
    "<workspaceFolder>/x",
    "<workspaceFolder> is known to editors only; write the path itself, or set a variable of this name",
  ],
  ["<command:x>", "<command:x> is not known: only <NAME> and <NAME:-default> are"],
])("%s is a fault", (text, fault) => {
  const expansion = new Expansion(env);
  expansion.fill(variable(text));
  expect(expansion.faults).toEqual([variable(fault)]);
});
