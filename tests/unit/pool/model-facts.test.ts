import { expect, test } from "bun:test";
import { joinInfo } from "../../../src/pool/model-facts.ts";

test("what workers say of one model is joined into what holds on each of them", () => {
  expect(
    joinInfo([
      {
        id: "m",
        type: "chat",
        context_length: 8192,
        max_context_length: 131_072,
        input_modalities: ["text", "image"],
        status: "unloaded",
      },
      { id: "m", type: "chat", context_length: 4096, input_modalities: ["text", "audio"], output_modalities: ["text"] },
      { id: "m", context_length: null, status: "loaded" },
    ]),
  ).toEqual({
    type: "chat",
    contextLength: 4096,
    maxContextLength: 131_072,
    inputModalities: ["text"],
    outputModalities: ["text"],
    status: "loaded",
  });
});

test("a type or a status on which workers disagree is left out", () => {
  const joined = joinInfo([
    { id: "m", type: "chat", status: "unloaded" },
    { id: "m", type: "embedding", status: "sleeping" },
  ]);
  expect([joined.type, joined.status]).toEqual([undefined, undefined]);
  expect(joinInfo([])).toEqual(joinInfo([{ id: "m" }]));
});
