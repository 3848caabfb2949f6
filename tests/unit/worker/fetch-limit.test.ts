import { expect, test } from "bun:test";
import { mayPassFetchLimit } from "../../../src/worker/fetch-limit.ts";
import { workerSettings } from "../../support/test-worker.ts";

test.each([
  ["a model worker with few jobs", { maxConcurrency: 2 }, false],
  ["a model worker with many jobs", { maxConcurrency: 1000 }, true],
  ["a relay to a URL, whose clients each listen", { kinds: ["mcp"], mcpUrl: "http://127.0.0.1:1/mcp" }, true],
  ["a relay to a program", { kinds: ["mcp"], mcpCommand: "x" }, false],
] as const)("the limit of fetches matters to %s: %p", (_what, settings, matters) => {
  expect(mayPassFetchLimit(workerSettings({ server: "http://h", ...settings }))).toBe(matters);
});
