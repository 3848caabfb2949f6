import { describe, expect, test } from "bun:test";
import { type BackendModels, type ModelChoice, offeredModels } from "../../../src/worker/offered-models.ts";

const OLLAMA: BackendModels = {
  models: ["llama3.2:latest", "qwen3:8b", "qwen3:32b"],
  info: [{ id: "qwen3:8b", context_length: 4096 }],
  loaded: undefined,
  listsModels: true,
};
const NOTHING: ModelChoice = { models: undefined, renames: [] };
const offered = (choice: Partial<ModelChoice>, backend = OLLAMA) => offeredModels(backend, { ...NOTHING, ...choice });

describe("a worker offers", () => {
  test("all that its backend lists, with what is said of it", () => {
    expect(offered({})).toEqual({
      models: [...OLLAMA.models],
      info: [...OLLAMA.info],
      loaded: undefined,
      unlisted: [],
    });
  });

  test("the models that are named, also those that the backend does not list", () => {
    expect(offered({ models: ["qwen3:8b", "gpt-oss:120b-cloud"] })).toEqual({
      models: ["qwen3:8b", "gpt-oss:120b-cloud"],
      info: [...OLLAMA.info],
      loaded: undefined,
      unlisted: ["gpt-oss:120b-cloud"],
    });
    expect(
      offered({ models: ["org/model"] }, { models: [], info: [], loaded: undefined, listsModels: true }).models,
    ).toEqual(["org/model"]);
  });

  test("a model that is named without the tag 'latest' under its listed name", () => {
    expect(offered({ models: ["llama3.2"] })).toMatchObject({ models: ["llama3.2:latest"], unlisted: [] });
  });

  test("of the listed models those that fit a pattern, and no others", () => {
    expect(offered({ models: ["qwen3:*"] })).toMatchObject({ models: ["qwen3:8b", "qwen3:32b"], unlisted: [] });
    expect(offered({ models: ["*.2*"] }).models).toEqual(["llama3.2:latest"]);
    expect(offered({ models: ["x*"] })).toEqual({ models: [], info: [], loaded: undefined, unlisted: [] });
  });

  test("a renamed model under its new name only, with what is said of it", () => {
    expect(offered({ renames: [{ shown: "gpt-4o", backend: "qwen3:8b" }] })).toEqual({
      models: ["gpt-4o", "llama3.2:latest", "qwen3:32b"],
      info: [{ id: "gpt-4o", sent_as: "qwen3:8b", context_length: 4096 }],
      loaded: undefined,
      unlisted: [],
    });
  });

  test("a renamed model under both names if it is also renamed to its own", () => {
    const renames = [
      { shown: "gpt-4o", backend: "qwen3:8b" },
      { shown: "qwen3:8b", backend: "qwen3:8b" },
    ];
    expect(offered({ models: ["none*"], renames })).toEqual({
      models: ["gpt-4o", "qwen3:8b"],
      info: [
        { id: "gpt-4o", sent_as: "qwen3:8b", context_length: 4096 },
        { id: "qwen3:8b", context_length: 4096 },
      ],
      loaded: undefined,
      unlisted: [],
    });
  });

  test("a renamed model beside the chosen ones, even if its name hides another one or the backend does not list it", () => {
    const renames = [
      { shown: "qwen3:8b", backend: "llama3.2" },
      { shown: "adapter", backend: "lora-7" },
    ];
    expect(offered({ models: ["qwen3:*"], renames })).toEqual({
      models: ["qwen3:8b", "adapter", "qwen3:32b"],
      info: [
        { id: "qwen3:8b", sent_as: "llama3.2:latest" },
        { id: "adapter", sent_as: "lora-7" },
      ],
      loaded: undefined,
      unlisted: ["lora-7"],
    });
  });

  test("the loaded models that it offers, under the names that it offers them by", () => {
    const loaded = ["qwen3:8b", "llama3.2:latest", "not-listed"];
    const renames = [{ shown: "gpt-4o", backend: "qwen3:8b" }];
    expect(offered({ models: ["qwen3*"], renames }, { ...OLLAMA, loaded }).loaded).toEqual(["gpt-4o"]);
    expect(offered({ renames }, { ...OLLAMA, loaded }).loaded).toEqual(["gpt-4o", "llama3.2:latest"]);
    expect(offered({ renames }, { ...OLLAMA, loaded: [] }).loaded).toEqual([]);
  });

  test("all its models as loaded if its backend keeps all of them in memory", () => {
    const renames = [{ shown: "adapter", backend: "lora-7" }];
    const { models, loaded } = offered({ renames }, { ...OLLAMA, loaded: "all" });
    expect(loaded).toEqual(models);
  });

  test("the names that are given in place of the default name of a server without a list", () => {
    const whisper: BackendModels = { models: ["whisper-1"], info: [], loaded: "all", listsModels: false };
    expect(offered({}, whisper).models).toEqual(["whisper-1"]);
    expect(offered({ models: ["stt"] }, whisper)).toEqual({ models: ["stt"], info: [], loaded: ["stt"], unlisted: [] });
    const renames = [{ shown: "ears", backend: "whisper-1" }];
    expect(offered({ renames }, whisper)).toMatchObject({
      models: ["ears"],
      info: [{ id: "ears", sent_as: "whisper-1" }],
    });
  });
});

test("what is said of thousands of models is cut to fit a message, the renamed ones first", () => {
  const models = Array.from({ length: 2048 }, (_, index) => `m${index}-${"x".repeat(300)}`);
  const info = models.map((id) => ({ id, context_length: 1 }));
  const renames = [{ shown: "last", backend: models.at(-1) ?? "" }];
  const all = offeredModels({ models, info, loaded: undefined, listsModels: true }, { models: undefined, renames });
  expect(all.models).toHaveLength(2048);
  expect(all.info[0]).toMatchObject({ id: "last", context_length: 1 });
  expect(JSON.stringify(all.info).length).toBeLessThan(300_000);
});
