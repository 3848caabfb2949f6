import { expect, test } from "bun:test";
import { parseModelList } from "../../../src/worker/model-list.ts";

test("OpenAI's list of models is read in order, without repeats", () => {
  const list = parseModelList({ object: "list", data: [{ id: "b", owned_by: "library" }, { id: "a" }, { id: "b" }] });
  expect(list).toEqual({ models: ["b", "a"], info: [], ownedBy: "library" });
});

test("llama.cpp's answer, which contains two lists, counts once", () => {
  const list = parseModelList({
    models: [{ name: "/models/x.gguf", model: "/models/x.gguf" }],
    object: "list",
    data: [{ id: "x", owned_by: "llamacpp" }],
  });
  expect(list).toEqual({ models: ["x"], info: [], ownedBy: "llamacpp" });
});

test("Ollama's tags give the names unchanged", () => {
  expect(parseModelList({ models: [{ name: "llama3:8b-q4", model: "llama3:8b-q4" }] })?.models).toEqual([
    "llama3:8b-q4",
  ]);
});

test("an empty list of models is valid", () => {
  expect(parseModelList({ object: "list", data: [] })?.models).toEqual([]);
  expect(parseModelList({ object: "list", data: null })?.models).toEqual([]);
  expect(parseModelList([])?.models).toEqual([]);
});

test("anything but a list of models is refused", () => {
  for (const json of [undefined, null, "models", 5, {}, { data: {} }, { error: { message: "no" } }, { data: null }]) {
    expect(parseModelList(json)).toBeUndefined();
  }
});

test("models that the server would refuse are dropped, and the rest is bounded", () => {
  const data = [
    { id: 5 },
    {},
    null,
    { id: "" },
    { id: "a\nb" },
    { id: "a\u202eb" },
    { id: "a\u2028b" },
    { id: "a\u200eb" },
    { id: "a\ud800b" },
    { id: "x".repeat(513) },
    { id: "ok" },
  ];
  expect(parseModelList({ data })?.models).toEqual(["ok"]);
  const many = Array.from({ length: 5000 }, (_, index) => ({ id: `m${index}` }));
  expect(parseModelList({ data: many })?.models).toHaveLength(2048);
});

test("for one task, models marked for another are dropped, and unmarked ones are kept", () => {
  const data = [
    { id: "whisper", task: "automatic-speech-recognition", owned_by: "a" },
    { id: "kokoro", task: "text-to-speech" },
    { id: "silent" },
    { id: "odd", task: 5 },
    "bare",
  ];
  const ids = (task?: string): readonly string[] | undefined => parseModelList({ data }, task)?.models;
  expect(ids("automatic-speech-recognition")).toEqual(["whisper", "silent", "odd", "bare"]);
  expect(ids()).toEqual(["whisper", "kokoro", "silent", "odd", "bare"]);
});
