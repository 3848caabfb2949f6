import { expect, test } from "bun:test";
import fc from "fast-check";
import { compileGlobs } from "../../../src/keys/model-globs.ts";
import "../../support/seed.ts";

/** Pattern, name, and whether the pattern allows the name. */
const CASES: readonly (readonly [glob: string, name: string, isAllowed: boolean])[] = [
  ["qwen3", "qwen3", true],
  ["qwen3", "qwen3.5", false],
  ["qwen3", "Qwen3", false],
  ["qwen*", "qwen3:8b", true],
  ["qwen*", "my-qwen", false],
  ["*", "anything/at:all", true],
  ["a*b*c", "abc", true],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "acb", false],
  ["ab*ba", "aba", false],
  ["*-instruct*", "llama3:8b-instruct-q4_K_M", true],
  ["org/*", "org/a/b", true],
  ["a.c", "abc", false],
  ["a?c", "abc", false],
];

test.each(CASES)("the pattern %p and the name %p", (glob, name, isAllowed) => {
  expect(compileGlobs([glob])(name)).toBe(isAllowed);
});

test("a name that may be served by an allowed model is allowed, and so are the models that may serve it", () => {
  const variants = ["llama3:8b", "llama3:8b-instruct-q4_K_M", "llama3:8b-q8_0"];
  for (const glob of [...variants, "llama3:8b-*"]) {
    const may = compileGlobs([glob]);
    expect(variants.filter(may)).toEqual(variants);
    expect(may("llama3:70b")).toBe(false);
  }
  expect(compileGlobs(["llama3"])("llama3:latest")).toBe(true);
  expect(compileGlobs(["library/llama3"])("llama3")).toBe(true);
});

test("a pattern whose size is open does not reach beyond what it says", () => {
  expect(compileGlobs(["llama3:*-instruct"])("llama3:70b-text")).toBe(false);
  expect(compileGlobs(["llama3:*"])("llama3:70b-text")).toBe(true);
});

test("without a pattern, no model is allowed", () => {
  expect(compileGlobs([])("qwen3")).toBe(false);
});

test("patterns without colons match like the regular expressions that they stand for", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), maxLength: 12 });
  fc.assert(
    fc.property(text, text, (glob, written) => {
      const name = `${written.replaceAll("*", "a")}!`;
      const pattern = `${glob}!`;
      const source = pattern.split("*").map((part) => part.replaceAll(".", "\\.").replaceAll("!", "\\!"));
      expect(compileGlobs([pattern])(name)).toBe(new RegExp(`^${source.join(".*")}$`).test(name));
    }),
  );
});

test("an answer is the same after many other names were asked for", () => {
  const may = compileGlobs(["a*"]);
  for (let index = 0; index < 1000; index += 1) may(`b${index}`);
  expect([may("a1"), may("b1")]).toEqual([true, false]);
});
