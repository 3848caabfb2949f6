import { expect, test } from "bun:test";
import { statusesIn } from "../../../src/wire/model-status.ts";

test("a worker that says nothing of its models leaves open whether they are loaded", () => {
  const statusOf = statusesIn({ modelInfo: [{ id: "a", type: "chat" }] });
  expect(statusOf("a")).toEqual({ word: undefined, isLoaded: undefined });
});

test("the status of a model counts where the worker sends no list of loaded ones", () => {
  const said = ["loaded", "unloaded", "loading", "sleeping"].map((status) => ({ id: status, status }));
  const statusOf = statusesIn({ modelInfo: said });
  const found = said.map(({ id }) => statusOf(id));
  expect(found.map(({ word }) => word)).toEqual(["loaded", "unloaded", "loading", "sleeping"]);
  expect(found.map(({ isLoaded }) => isLoaded)).toEqual([true, false, true, undefined]);
});

test("the list of loaded models counts more than the status of each", () => {
  const modelInfo = [
    { id: "a", status: "unloaded" },
    { id: "b", status: "loaded" },
  ];
  const statusOf = statusesIn({ modelInfo, loaded: ["a"] });
  expect(statusOf("a")).toEqual({ word: "loaded", isLoaded: true });
  expect(statusOf("b")).toEqual({ word: "unloaded", isLoaded: false });
  expect(statusOf("c")).toEqual({ word: "unloaded", isLoaded: false });
  expect(statusesIn({ loaded: [] })("a").isLoaded).toBe(false);
});

test("a word of the backend's own stays beside the list of loaded models", () => {
  const statusOf = statusesIn({ modelInfo: [{ id: "a", status: "loading" }], loaded: ["a"] });
  expect(statusOf("a")).toEqual({ word: "loading", isLoaded: true });
});
