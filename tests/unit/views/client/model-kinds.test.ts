import { expect, test } from "bun:test";
import { chatModels, embeddingModels, isEmbedding, seesPictures } from "../../../../views/client/model-kinds.ts";

const MODELS = [
  { name: "llama3:8b", type: null },
  { name: "bge-m3", type: null },
  { name: "embed-but-chats", type: "chat" },
  { name: "plain-name", type: "embedding" },
  { name: "bge-reranker", type: "rerank" },
];
const namesOf = (models: readonly { readonly name: string }[]): readonly string[] => models.map(({ name }) => name);

test("the kind of a model is what its workers say, and a guess by its name where they say nothing", () => {
  expect(namesOf(chatModels(MODELS))).toEqual(["llama3:8b", "embed-but-chats"]);
  expect(namesOf(embeddingModels(MODELS))).toEqual(["bge-m3", "plain-name"]);
  expect(isEmbedding("nomic-embed-text", [])).toBe(true);
});

test.each(["llava:13b", "qwen2.5vl:7b", "Qwen/Qwen3-VL-8B", "gemma3:4b", "moondream", "llama3.2-vision"])(
  "%s probably understands pictures",
  (name) => expect(seesPictures(name, [])).toBe(true),
);

test("a model understands pictures only if its workers say so, where they say anything", () => {
  expect(seesPictures("llama3:8b", [])).toBe(false);
  expect(seesPictures("m", [{ name: "m", type: null, input_modalities: ["text", "image"] }])).toBe(true);
  expect(seesPictures("llava", [{ name: "llava", type: null, input_modalities: ["text"] }])).toBe(false);
});
