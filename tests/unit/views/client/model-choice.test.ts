import { expect, test } from "bun:test";
import { settledModel } from "../../../../views/client/model-choice.ts";

const choices = ["a", "b"].map((name) => ({ name, type: null }));

test("a panel keeps its model while it is served, and takes that of the address, or the first, otherwise", () => {
  expect(settledModel(choices, { chosen: "b", asked: "a" })).toBe("b");
  expect(settledModel(choices, { chosen: "", asked: "b" })).toBe("b");
  expect(settledModel(choices, { chosen: "gone", asked: undefined })).toBe("a");
  expect(settledModel(choices, { chosen: "", asked: "never there" })).toBe("a");
  expect(settledModel([], { chosen: "b", asked: undefined })).toBe("b");
});
