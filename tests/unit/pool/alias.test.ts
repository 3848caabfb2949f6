import { expect, test } from "bun:test";
import { aliasKey, byPreference, listedName } from "../../../src/pool/alias.ts";

test.each([
  ["llama3:8b", "llama3:8b"],
  ["llama3:8b-q4_K_M", "llama3:8b"],
  ["llama3:8b-fp16", "llama3:8b"],
  ["llama3:8b-instruct-q4_0", "llama3:8b"],
  ["llama3:8b-instruct", "llama3:8b"],
  ["org/model:70b-awq", "org/model:70b"],
  ["localhost:5000/org/model", undefined],
  ["localhost:5000/org/model:8b-q4", "localhost:5000/org/model:8b"],
  ["gpt-oss:120b-cloud", undefined],
  ["glm:cloud", undefined],
  ["gpt-4o", undefined],
  ["model:", undefined],
  ["model:-q4", undefined],
  [":8b", undefined],
])("substitutes for %s share %p", (model, key) => {
  expect(aliasKey(model)).toBe(key);
});

test.each([
  ["llama3.2", "llama3.2:latest"],
  ["llama3.2:latest", "llama3.2:latest"],
  ["library/llama3.2", "llama3.2:latest"],
  ["library/llama3.2:3b", "llama3.2:3b"],
  ["registry.ollama.ai/library/llama3.2", "llama3.2:latest"],
  ["hf.co/org/model", "hf.co/org/model:latest"],
  ["localhost:5000/model", "localhost:5000/model:latest"],
])("Ollama lists the model that it takes for %s as %s", (model, listed) => {
  expect(listedName(model)).toBe(listed);
});

test("the closest variant of a model is preferred, and equals are in alphabetical order", () => {
  const names = ["m:8b-text-q4_0", "m:8b-chat", "m:8b-q8_0", "m:8b-instruct-q4_0", "m:8b-fp16"];
  expect(byPreference("m:8b", names)).toEqual([
    "m:8b-fp16",
    "m:8b-q8_0",
    "m:8b-chat",
    "m:8b-instruct-q4_0",
    "m:8b-text-q4_0",
  ]);
  expect(byPreference("m:8b-text", names)[0]).toBe("m:8b-text-q4_0");
});
