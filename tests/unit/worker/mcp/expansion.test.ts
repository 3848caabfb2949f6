import { expect, test } from "bun:test";
import { Expansion } from "../../../../src/worker/mcp/expansion.ts";

const env = { HOME: "/home/me", EMPTY: "", GITHUB_TOKEN: "t-1", INPUT_2FA: "6" };
const variable = (text: string): string => text.replaceAll("<", "${").replaceAll(">", "}");

test.each([
  ["<HOME>/x", "/home/me/x"],
  ["<env:HOME>", "/home/me"],
  ["<userHome>/y", "/home/me/y"],
  ["<NONE:-else>", "else"],
  ["<EMPTY:-else>", ""],
  ["a $HOME and {HOME}", "a $HOME and {HOME}"],
  ["Bearer <input:github-token>, <input:githubToken>", "Bearer t-1, t-1"],
  ["<input:2fa>", "6"],
])("%s becomes %j", (text, filled) => {
  const expansion = new Expansion(env);
  expect(expansion.fill(variable(text))).toBe(filled);
  expect(expansion.faults).toEqual([]);
});

test.each([
  ["<NONE>", "the variable NONE is not set"],
  ["<input:key>", "<input:key> is a value that an editor asks for; set the variable KEY instead"],
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

test("a variable's value is not expanded again", () => {
  const expansion = new Expansion({ A: variable("<B>"), B: "b" });
  expect(expansion.fill(variable("<A> <input:a>"))).toBe(variable("<B> <B>"));
  expect(expansion.faults).toEqual([]);
});
