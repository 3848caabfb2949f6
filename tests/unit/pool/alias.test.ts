import { expect, test } from "bun:test";
import { aliasKey } from "../../../src/pool/alias.ts";

test.each([
  ["llama3:8b", "llama3:8b"],
  ["llama3:8b-q4_K_M", "llama3:8b"],
  ["llama3:8b-fp16", "llama3:8b"],
  ["llama3:8b-instruct-q4_0", "llama3:8b-instruct"],
  ["llama3:8b-instruct", "llama3:8b-instruct"],
  ["org/model:70b-awq", "org/model:70b"],
  ["gpt-4o", undefined],
  ["model:", undefined],
])("substitutes for %s share %p", (model, key) => {
  expect(aliasKey(model)).toBe(key);
});
