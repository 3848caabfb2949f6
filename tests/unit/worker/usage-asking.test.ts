import { expect, test } from "bun:test";
import { UsageAsking } from "../../../src/worker/usage-asking.ts";

const CHAT = "/chat/completions";
const base = "http://127.0.0.1:1/v1";

test.each([
  ["ollama", "0.5.2", CHAT, true],
  ["ollama", "0.5.2", "/completions", false],
  ["sglang", undefined, "/completions", true],
  ["vllm", "0.7.0", CHAT, true],
  ["vllm", "0.11.2rc1.dev3+gabc", "/completions?x=1", true],
  ["vllm", "1.0.0", CHAT, true],
  ["vllm", "0.6.6", CHAT, false],
  ["vllm", undefined, CHAT, false],
  ["vllm", "0.7.0", "/responses", false],
  ["llamacpp", "b5000", CHAT, false],
  ["lmstudio", undefined, CHAT, false],
  ["tabbyAPI", undefined, CHAT, false],
  ["constructor", undefined, CHAT, false],
  [undefined, undefined, CHAT, false],
])("%s %s is asked at %s: %s", (family, version, path, expected) => {
  expect(new UsageAsking().decide({ base, family, version }, path)).toBe(expected ? "try" : "no");
});

test("a server that has taken it is known to take it, and one that has refused it is not asked again", () => {
  const asking = new UsageAsking();
  const server = { base, family: "ollama", version: "0.9.0" };
  asking.note(server, true);
  expect(asking.decide(server, CHAT)).toBe("yes");
  asking.note(server, false);
  asking.note(server, true);
  expect(asking.decide(server, CHAT)).toBe("no");
});

test("what is known of a server says nothing of another version or another place", () => {
  const asking = new UsageAsking();
  const server = { base, family: "sglang", version: "1" };
  asking.note(server, false);
  expect(asking.decide({ ...server, version: "2" }, CHAT)).toBe("try");
  expect(asking.decide({ ...server, base: "http://127.0.0.1:2/v1" }, CHAT)).toBe("try");
});
