import { expect, test } from "bun:test";
import type { ModelInfo } from "../../../src/wire/model-info.ts";
import { parseModelList } from "../../../src/worker/model-list.ts";

// Each case has the fields of one model server's list, as its documentation or its source gives them.
const CASES: readonly (readonly [string, unknown, Omit<ModelInfo, "id"> | undefined])[] = [
  ["OpenAI", { data: [{ id: "m", object: "model", created: 1, owned_by: "openai" }] }, undefined],
  ["vLLM", { data: [{ id: "m", owned_by: "vllm", root: "m", max_model_len: 8192 }] }, { context_length: 8192 }],
  [
    "llama.cpp",
    {
      models: [{ name: "m", capabilities: ["completion"] }],
      data: [
        {
          id: "m",
          owned_by: "llamacpp",
          architecture: { input_modalities: ["text", "image"], output_modalities: ["text"] },
          meta: { vocab_type: 2, n_ctx: 4096, n_ctx_train: 131_072, size: 1 },
        },
      ],
    },
    {
      type: "chat",
      context_length: 4096,
      max_context_length: 131_072,
      input_modalities: ["text", "image"],
      output_modalities: ["text"],
    },
  ],
  [
    "llama.cpp as a router",
    {
      data: [
        { id: "m", path: "/secret/m.gguf", status: { value: "sleeping", args: ["llama-server", "--key"] }, meta: null },
      ],
    },
    { status: "sleeping" },
  ],
  [
    "Ollama",
    { models: [{ name: "m", capabilities: ["completion", "tools", "vision"], details: { context_length: 131_072 } }] },
    { type: "chat", max_context_length: 131_072, input_modalities: ["text", "image"] },
  ],
  [
    "Ollama's embedding models",
    { models: [{ name: "m", capabilities: ["embedding"], details: { context_length: 2048, embedding_length: 768 } }] },
    { type: "embedding", max_context_length: 2048, input_modalities: ["text"] },
  ],
  [
    "Ollama's running models",
    { models: [{ name: "m", context_length: 4096, size_vram: 1 }] },
    { context_length: 4096 },
  ],
  [
    "LM Studio",
    { data: [{ id: "m", type: "vlm", state: "not-loaded", max_context_length: 32_768 }] },
    { type: "chat", max_context_length: 32_768, input_modalities: ["text", "image"], status: "unloaded" },
  ],
  [
    "LM Studio's embedding models",
    { data: [{ id: "m", type: "embeddings", state: "loaded", loaded_context_length: 512, max_context_length: 2048 }] },
    { type: "embedding", context_length: 512, max_context_length: 2048, status: "loaded" },
  ],
  [
    "OpenRouter",
    {
      data: [
        {
          id: "m",
          context_length: 200_000,
          architecture: {
            modality: "text+image->text",
            input_modalities: ["text", "image"],
            output_modalities: ["text"],
          },
        },
      ],
    },
    { context_length: 200_000, input_modalities: ["text", "image"], output_modalities: ["text"] },
  ],
  ["Together", { data: [{ id: "m", type: "rerank", context_length: 8192 }] }, { type: "rerank", context_length: 8192 }],
  ["Groq", { data: [{ id: "m", context_window: 131_072, active: true }] }, { context_length: 131_072 }],
  ["speaches", { data: [{ id: "m", task: "automatic-speech-recognition" }] }, { type: "transcription" }],
  ["speaches' voices", { data: [{ id: "m", task: "text-to-speech" }] }, { type: "speech" }],
  ["Infinity", { data: [{ id: "m", capabilities: ["rerank"], backend: "torch" }] }, { type: "rerank" }],
  ["GPUStack", { data: [{ id: "m", categories: ["speech_to_text"] }] }, { type: "transcription" }],
];

test.each(CASES)("the list of %s tells what it says of a model, and nothing else of it", (_server, json, info) => {
  expect(parseModelList(json)?.info).toEqual(info ? [{ id: "m", ...info }] : []);
});

test("the other names that llama.cpp takes for its model are offered as well", () => {
  const data = [
    { id: "qwen", aliases: ["qwen", "gpt-4o", 5, ""], meta: { n_ctx: 4096 } },
    { id: "x", aliases: "y" },
  ];
  expect(parseModelList({ data })).toMatchObject({
    models: ["qwen", "gpt-4o", "x"],
    info: [
      { id: "qwen", context_length: 4096 },
      { id: "gpt-4o", context_length: 4096 },
    ],
  });
});

test.each([
  ["numbers that are none", { context_length: "8192", max_model_len: 1.5, max_context_length: -1, meta: { n_ctx: 0 } }],
  ["numbers without a bound", { context_length: 1e18, max_model_len: Number.MAX_VALUE }],
  ["words that are none", { type: "Chat\nModel", status: { value: "x".repeat(40) }, task: 5, state: ["loaded"] }],
  ["objects where lists belong", { capabilities: { completion: true }, architecture: ["text"], meta: "n_ctx" }],
  ["names of the language", { __proto__: { context_length: 5 }, constructor: { context_length: 5 } }],
])("%s are left out", (_what, fields) => {
  expect(parseModelList({ data: [{ id: "m", ...fields }] })?.info).toEqual([]);
});

test("long lists of words are cut, and what is no word is dropped", () => {
  const words = ["text", 5, "two words", ...Array.from({ length: 40 }, (_, index) => `w${index}`)];
  const [info] = parseModelList({ data: [{ id: "m", architecture: { input_modalities: words } }] })?.info ?? [];
  expect(info?.input_modalities).toHaveLength(16);
  expect(info?.input_modalities?.slice(0, 2)).toEqual(["text", "w0"]);
});
