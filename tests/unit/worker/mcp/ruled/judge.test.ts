import { describe, expect, test } from "bun:test";
import type { McpRules } from "../../../../../src/wire/mcp-call.ts";
import { judge, subjectOf } from "../../../../../src/worker/mcp/ruled/judge.ts";
import { restricted } from "../../../../../src/worker/mcp/ruled/lists.ts";
import { compileRules } from "../../../../../src/worker/mcp/rules.ts";

const message = (method: string | undefined, params: Record<string, unknown> = {}) => ({
  id: 1,
  method,
  params,
  argumentsText: () => undefined,
});
const verdict = (rules: McpRules, method: string | undefined, params?: Record<string, unknown>): string =>
  judge(message(method, params), compileRules(rules)).kind;

const TOOLS = { tools: ["read_*"] };
const ALL = { tools: ["read_*"], prompts: ["greet"], resources: ["file:///srv/*"] };
const ref = (type: string, of: object) => ({ ref: { type, ...of }, argument: { name: "a", value: "" } });

describe("a message is judged by what it names", () => {
  test.each<[McpRules, string | undefined, Record<string, unknown> | undefined]>([
    [ALL, "tools/call", { name: "read_file" }],
    [ALL, "prompts/get", { name: "greet" }],
    [ALL, "resources/read", { uri: "file:///srv/a" }],
    [ALL, "resources/subscribe", { uri: "file:///srv/a" }],
    [ALL, "completion/complete", ref("ref/prompt", { name: "greet" })],
    [ALL, "completion/complete", ref("ref/resource", { uri: "file:///srv/{a}" })],
    [ALL, "completion/complete", ref("ref/resource", { uri: "file:///srv/a" })],
    [
      ALL,
      "subscriptions/listen",
      { notifications: { toolsListChanged: true, resourceSubscriptions: ["file:///srv/a"] } },
    ],
    [ALL, "subscriptions/listen", {}],
    [ALL, "tools/list", undefined],
    [ALL, "resources/templates/list", undefined],
    [ALL, "initialize", undefined],
    [ALL, "ping", undefined],
    [ALL, "tasks/get", { taskId: "t" }],
    [ALL, undefined, undefined],
    [TOOLS, "prompts/get", { name: 7 }],
    [TOOLS, "resources/read", {}],
    [TOOLS, "prompts/new", {}],
    [{}, "tools/anything", {}],
  ])("%j allows %s with %j", (rules, method, params) => {
    expect(verdict(rules, method, params)).toBe("allowed");
  });

  test.each<[McpRules, string, Record<string, unknown> | undefined]>([
    [ALL, "tools/call", { name: "drop" }],
    [ALL, "tools/call", {}],
    [ALL, "tools/call", { name: ["read_file"] }],
    [ALL, "tools/call", { name: "read_\u0000" }],
    [ALL, "tools/call", { name: "read_\ud800" }],
    [ALL, "tools/call", { name: "read_\n" }],
    [ALL, "prompts/get", { name: "other" }],
    [ALL, "resources/read", { uri: "file:///etc/passwd" }],
    [ALL, "resources/read", { uri: "file:///srv/../etc/passwd" }],
    [ALL, "resources/read", { uri: { href: "file:///srv/a" } }],
    [ALL, "resources/unsubscribe", { uri: "x" }],
    [ALL, "completion/complete", ref("ref/prompt", { name: "other" })],
    [ALL, "completion/complete", ref("ref/resource", { uri: "db://{a}" })],
    [ALL, "completion/complete", ref("ref/tool", { name: "x" })],
    [ALL, "completion/complete", {}],
    [ALL, "subscriptions/listen", { notifications: { resourceSubscriptions: ["file:///srv/a", "db://x"] } }],
    [ALL, "subscriptions/listen", { notifications: { resourceSubscriptions: "db://x" } }],
    [TOOLS, "tools/Call", { name: "read_file" }],
    [TOOLS, " tools/call", { name: "read_file" }],
    [TOOLS, "TOOLS/CALL", { name: "drop" }],
    [TOOLS, "tools\u200b/call", { name: "drop" }],
    [TOOLS, "tools/run", { name: "drop" }],
    [TOOLS, "ｔools/call", { name: "drop" }],
    [TOOLS, "tasks/list", undefined],
    [{ prompts: [] }, "prompts/render", {}],
    [{ resources: [] }, "resources/write", {}],
    [{ resources: [] }, "completion/other", {}],
  ])("%j denies %s with %j", (rules, method, params) => {
    expect(verdict(rules, method, params)).toBe("denied");
  });

  test("a tool that is denied looks like one that does not exist", () => {
    expect(judge(message("tools/call", { name: "drop" }), compileRules(TOOLS))).toEqual({
      kind: "denied",
      denial: { code: -32_602, message: "Unknown tool: drop" },
    });
  });

  test("the annotations decide where a class is the only permission", () => {
    expect(judge(message("tools/call", { name: "x" }), compileRules({ tools: ["@read-only"] }))).toEqual({
      kind: "by-annotations",
      tool: "x",
    });
  });

  test("what it names is known for records", () => {
    expect(subjectOf(message("tools/call", { name: "x" }))).toBe("x");
    expect(subjectOf(message("resources/read", { uri: "u" }))).toBe("u");
    expect(subjectOf(message("completion/complete", ref("ref/prompt", { name: "p" })))).toBe("p");
    expect(subjectOf(message("ping", { name: "x" }))).toBeUndefined();
  });
});

describe("what the MCP server sends", () => {
  const rules = compileRules(ALL);
  const result = (of: object) => ({ jsonrpc: "2.0", id: 1, result: of });

  test("has no list with what the caller may not use, in whatever result it comes", () => {
    const lists = {
      tools: [{ name: "drop" }, { name: "read_a", x: 1 }, { name: 7 }, "read_b", null],
      prompts: [{ name: "greet" }, { name: "other" }],
      resources: [{ uri: "file:///srv/a" }, { uri: "file:///etc" }],
      resourceTemplates: [{ uriTemplate: "file:///srv/{a}" }, { uriTemplate: "db://{a}" }],
      nextCursor: "2",
      cacheScope: "public",
    };
    const expected = result({
      tools: [{ name: "read_a", x: 1 }],
      prompts: [{ name: "greet" }],
      resources: [{ uri: "file:///srv/a" }],
      resourceTemplates: [{ uriTemplate: "file:///srv/{a}" }],
      nextCursor: "2",
      cacheScope: "private",
    });
    expect(restricted(result(lists), rules)).toEqual(expected);
    expect(restricted([result(lists), result({})], rules)).toEqual([expected, result({})]);
    expect(restricted(result({ tools: { drop: {} } }), rules)).toEqual(result({ tools: [] }));
  });

  test("is the same value where nothing is to be changed", () => {
    for (const message of [
      result({ tools: [{ name: "read_a" }] }),
      result({ content: [{ type: "resource_link", uri: "file:///etc" }] }),
      { method: "notifications/progress", params: { tools: [] } },
      { method: "notifications/resources/updated", params: { uri: "file:///srv/a" } },
      { id: 1, error: { code: 1, message: "" } },
      [result({})],
      "text",
      null,
    ]) {
      expect(restricted(message, rules)).toBe(message);
    }
  });

  test("brings no news of a resource that the caller may not read", () => {
    const news = { method: "notifications/resources/updated", params: { uri: "file:///etc" } };
    expect(restricted(news, rules)).toBeUndefined();
    expect(restricted([news], rules)).toBeUndefined();
    expect(restricted([news, result({})], rules)).toEqual([result({})]);
    expect(restricted(news, compileRules(TOOLS))).toBe(news);
  });
});
