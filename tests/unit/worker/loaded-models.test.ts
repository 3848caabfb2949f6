import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  listSource,
  llamaSwapSource,
  localAiSource,
  ollamaSource,
  withReading,
} from "../../../src/worker/loaded-models.ts";

const ORIGIN = "http://127.0.0.1:1";
const SOURCES = [ollamaSource, llamaSwapSource, localAiSource].map((create) => create(ORIGIN));

// The answers have the forms that the servers' sources and documentation of August 2026 show.

describe("the loaded models", () => {
  test("of Ollama are those that run, with the time of the first to be unloaded", () => {
    const source = ollamaSource(ORIGIN);
    expect(source.url).toBe(`${ORIGIN}/api/ps`);
    const answer = {
      models: [
        {
          name: "a:latest",
          model: "a:latest",
          size: 1,
          size_vram: 1,
          expires_at: "2026-08-21T18:48:22.123456789-07:00",
        },
        { name: "b:7b", model: "b:7b", size: 1, size_vram: 1, expires_at: "2318-12-01T00:00:00Z" },
      ],
    };
    expect(source.read(answer)).toEqual({
      models: ["a:latest", "b:7b"],
      words: new Map(),
      expiresAt: Date.parse("2026-08-22T01:48:22.123Z"),
    });
    expect(source.read({ models: [] })).toEqual({ models: [], words: new Map() });
    expect(source.read({ models: [{ name: "a", expires_at: "soon" }] })).toEqual({ models: ["a"], words: new Map() });
  });

  test("of llama-swap are those whose process is ready or starting, and not one that stops", () => {
    const source = llamaSwapSource(ORIGIN);
    expect(source.url).toBe(`${ORIGIN}/running`);
    const running = ["ready", "starting", "stopping", "shutdown"].map((state) => ({
      model: `is-${state}`,
      state,
      cmd: "llama-server",
      proxy: "http://127.0.0.1:5800",
      ttl: 0,
      name: "",
      description: "",
    }));
    expect(source.read({ running })).toEqual({
      models: ["is-ready", "is-starting"],
      words: new Map([["is-starting", "loading"]]),
    });
    expect(source.read({ running: [] })?.models).toEqual([]);
  });

  test("of LocalAI are those that its system page lists", () => {
    const source = localAiSource(ORIGIN);
    expect(source.url).toBe(`${ORIGIN}/system`);
    const answer = { backends: ["llama-cpp"], loaded_models: [{ id: "phi-2", backend: "llama-cpp" }, { id: "x" }] };
    expect(source.read(answer)?.models).toEqual(["phi-2", "x"]);
  });

  test("of llama.cpp as a router are those with the status loaded or loading", () => {
    const data = ["loaded", "loading", "unloaded", "sleeping"].map((value) => ({ id: value, status: { value } }));
    const reading = listSource(`${ORIGIN}/v1/models`).read({ object: "list", data });
    expect(reading?.models).toEqual(["loaded", "loading"]);
    expect(reading?.words.get("sleeping")).toBe("sleeping");
  });

  test("of LM Studio are those with that state in its own list", () => {
    const data = [
      { id: "a", object: "model", type: "llm", state: "loaded" },
      { id: "b", object: "model", type: "llm", state: "not-loaded" },
    ];
    expect(listSource(`${ORIGIN}/api/v0/models`).read({ object: "list", data })?.models).toEqual(["a"]);
  });

  test("are not known from a list without statuses, or with words that do not speak of memory", () => {
    const source = listSource(`${ORIGIN}/v1/models`);
    expect(source.read({ data: [{ id: "a" }] })).toBeUndefined();
    expect(source.read({ data: [{ id: "a", status: { value: "active" } }] })).toBeUndefined();
  });

  test("are not known from anything else that a server may answer", () => {
    for (const { read } of [...SOURCES, listSource(ORIGIN)]) {
      for (const answer of [undefined, null, 5, "x", {}, { models: 5 }, { running: {} }, { loaded_models: null }])
        expect(read(answer)).toBeUndefined();
      fc.assert(
        fc.property(fc.jsonValue(), (answer) => {
          read(answer);
        }),
      );
    }
  });
});

test("a new reading changes the status of models that had one, and no other", () => {
  const server = {
    loaded: ["a"],
    loadedSource: undefined,
    info: [
      { id: "a", status: "loaded" },
      { id: "b", status: "unloaded" },
      { id: "c", status: "unloaded" },
      { id: "d", type: "chat" },
    ],
  };
  const reading = { models: ["b", "c", "d"], words: new Map([["c", "loading"]]) };
  expect(withReading(server, reading)).toEqual({
    loaded: ["b", "c", "d"],
    loadedSource: undefined,
    info: [
      { id: "a", status: "unloaded" },
      { id: "b", status: "loaded" },
      { id: "c", status: "loading" },
      { id: "d", type: "chat" },
    ],
  });
});
