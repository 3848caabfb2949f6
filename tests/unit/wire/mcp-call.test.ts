import { describe, expect, test } from "bun:test";
import { toRequestHead, toResponseHead } from "../../../src/wire/heads.ts";
import { MAX_RULES, toMcpCalled } from "../../../src/wire/mcp-call.ts";

const REQUEST = { method: "POST", path: "/", headers: [] };
const RESPONSE = { status: 200, headers: [] };

describe("the caller in the head of a request", () => {
  test("is read with its rules", () => {
    const caller = { name: "ann", rules: { tools: ["read_*", "@read-only"], resources: [] } };
    expect(toRequestHead({ ...REQUEST, caller })?.caller).toEqual(caller);
    expect(toRequestHead({ ...REQUEST, caller: { name: "ann" } })?.caller).toEqual({ name: "ann" });
    expect(toRequestHead(REQUEST)).not.toHaveProperty("caller");
  });

  test.each([
    ["no object", "ann"],
    ["no name", { rules: {} }],
    ["rules that are no object", { name: "ann", rules: ["read_*"] }],
    ["a list that this version does not know", { name: "ann", rules: { skills: [] } }],
    ["a pattern that is no text", { name: "ann", rules: { tools: [1] } }],
    ["too many patterns", { name: "ann", rules: { tools: Array.from({ length: MAX_RULES + 1 }, () => "a") } }],
  ])("makes the head unreadable with %s, because it may be a restriction", (_what, caller) => {
    expect(toRequestHead({ ...REQUEST, caller })).toBeUndefined();
  });
});

describe("what a relay says was called", () => {
  test("is read from the head of a response", () => {
    const called = { caller: "ann", name: "read_file", denied: true, arguments: "{}" };
    expect(toResponseHead({ ...RESPONSE, called })?.called).toEqual({ ...called, denied: true });
    expect(toResponseHead({ ...RESPONSE, refused: "token", called: {} })).toEqual({
      status: 200,
      headers: [],
      refused: "token",
      called: {},
    });
    expect(toResponseHead(RESPONSE)).toEqual({ status: 200, headers: [] });
  });

  test("loses the parts that cannot be read, and control characters", () => {
    expect(toMcpCalled({ caller: "a\u001b[1m", name: 1, denied: "yes", arguments: "x".repeat(5000) })).toEqual({
      caller: "a[1m",
    });
    expect(toMcpCalled("x")).toBeUndefined();
  });
});
