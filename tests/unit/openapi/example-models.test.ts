import { expect, test } from "bun:test";
import { nameServedModels } from "../../../src/openapi/example-models.ts";

const DOCUMENT = JSON.stringify({ chat: "llama3:8b", embed: "bge-m3", text: "`llama3:8b` is found" });

test("an example becomes the first served model of its type", () => {
  const served = [
    { id: "a-embedder", type: "embedding" },
    { id: "untyped" },
    { id: "b", type: "chat" },
    { id: "c", type: "chat" },
  ];
  expect(JSON.parse(nameServedModels(DOCUMENT, served))).toEqual({
    chat: "b",
    embed: "a-embedder",
    text: "`llama3:8b` is found",
  });
});

test("a model without a type stands for chat where none has that type, and a type that nobody serves keeps its example", () => {
  expect(JSON.parse(nameServedModels(DOCUMENT, [{ id: "m" }]))).toMatchObject({ chat: "m", embed: "bge-m3" });
});

test("a name with quotes, dollars and backslashes leaves the document valid", () => {
  const id = 'odd"$&\\name';
  expect(JSON.parse(nameServedModels(DOCUMENT, [{ id }]))).toMatchObject({ chat: id });
});
