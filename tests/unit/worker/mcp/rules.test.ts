import { describe, expect, test } from "bun:test";
import { compileRules, intersect } from "../../../../src/worker/mcp/rules.ts";

const READ_ONLY = { readOnlyHint: true };

describe("tools", () => {
  test.each([
    [["read_*"], ["read_file", "read_"], ["write_file", "Read_file", " read_file", "read", "x_read_file"]],
    [["read_*", "list"], ["list"], ["lists"]],
    [[], [], ["read_file", ""]],
    [["*"], ["read_file", "@read-only"], []],
    [["!delete_*"], ["read_file"], ["delete_file"]],
    [["*_file", "!delete_*"], ["read_file"], ["delete_file", "read"]],
    [["*", "!delete_*"], ["read_file"], ["delete_file"]],
    [
      ["a.c", "(a+)+*"],
      ["a.c", "(a+)+b"],
      ["abc", "aaab"],
    ],
  ])("the list %j", (tools, allowed, denied) => {
    const rules = compileRules({ tools });
    for (const name of allowed) expect(rules.toolNamed(name)).toBe(true);
    for (const name of denied) expect(rules.toolNamed(name)).toBe(false);
  });

  test("without a list, all are allowed", () => {
    const rules = compileRules({ prompts: [] });
    expect(rules.toolNamed("delete_file")).toBe(true);
    expect(rules.tool({ name: "delete_file" })).toBe(true);
    expect(rules.restricts).toEqual({ tools: false, prompts: true, resources: false });
  });

  test("@read-only is decided by what the server says about the tool", () => {
    const rules = compileRules({ tools: ["@read-only", "note", "!read_secret"] });
    expect(rules.toolNamed("read_file")).toBeUndefined();
    expect(rules.toolNamed("note")).toBe(true);
    expect(rules.toolNamed("read_secret")).toBe(false);
    expect(rules.tool({ name: "read_file", annotations: READ_ONLY })).toBe(true);
    expect(rules.tool({ name: "read_secret", annotations: READ_ONLY })).toBe(false);
    for (const annotations of [undefined, null, {}, [], { readOnlyHint: "true" }, { readOnlyHint: 1 }]) {
      expect(rules.tool({ name: "read_file", annotations })).toBe(false);
    }
  });

  test("!@read-only leaves the tools that change something", () => {
    const rules = compileRules({ tools: ["!@read-only"] });
    expect(rules.tool({ name: "write", annotations: {} })).toBe(true);
    expect(rules.tool({ name: "read", annotations: READ_ONLY })).toBe(false);
  });

  test("a tool whose name is the class is not of the class", () => {
    expect(compileRules({ tools: ["@read-only"] }).tool({ name: "@read-only" })).toBe(false);
  });
});

describe("resources", () => {
  const rules = compileRules({ resources: ["file:///srv/public/*", "file:///srv/../odd"] });

  test("a pattern means the place that its text says", () => {
    expect(rules.resource("file:///srv/public/a/b.txt")).toBe(true);
    expect(rules.resource("file:///srv/public/..notes")).toBe(true);
    expect(rules.resource("file:///srv/../odd")).toBe(true);
    expect(rules.resource("file:///srv/private")).toBe(false);
  });

  test.each([
    "file:///srv/public/../private",
    "file:///srv/public/..",
    "file:///srv/public/%2e%2e/private",
    "file:///srv/public/.%2E/private",
    "file:///srv/public/..%2fprivate",
    "file:///srv/public/..%5Cprivate",
    "file:///srv/public/..\\private",
    "file:///srv/public/%252e%252e/private",
    "file:///srv/public/%25252e./private",
    "file:///srv/public/a/./../../private",
    "file:///srv/public/..?x",
    "file:///srv/public/.\t./private",
  ])("%s is not within it", (uri) => {
    expect(rules.resource(uri)).toBe(false);
  });

  test.each([
    "file:///srv/private/x",
    "file:///srv//private/x",
    "file:///srv/%70rivate/x?%",
    "file:///srv/./private/x",
    "FILE:///srv/private/x",
    "file:///srv%2fprivate%2fx",
    "file:///srv/public/../private/x",
    "moorage:files:file:///srv/private/x",
    "moorage:files:file:///srv/%70rivate/x",
  ])("%s is excluded with its place", (uri) => {
    const excluding = compileRules({ resources: ["!file:///srv/private/*", "!file:///srv/private/x"] });
    expect(excluding.resource(uri)).toBe(false);
    expect(excluding.resource("file:///srv/public/x")).toBe(true);
  });

  test("templates are allowed as far as an allowed URI may come of them", () => {
    expect(rules.template("file:///{+path}")).toBe(true);
    expect(rules.template("file:///srv/public/{name}.txt")).toBe(true);
    expect(rules.template("file:///srv/public/{a}/{b")).toBe(true);
    expect(rules.template("file:///srv/private/{name}")).toBe(false);
    expect(rules.template("db://{table}")).toBe(false);
    expect(compileRules({ resources: ["db://users"] }).template("db://{table}")).toBe(true);
    expect(compileRules({ resources: ["db://users"] }).template("db://users/{id}")).toBe(false);
    expect(compileRules({ resources: ["!db://*"] }).template("db://{table}")).toBe(false);
    expect(compileRules({ resources: [] }).template("db://{table}")).toBe(false);
  });
});

test("several rules allow what all of them allow", () => {
  const both = intersect(
    compileRules({ tools: ["read_*", "list"], prompts: ["a*"] }),
    undefined,
    compileRules({ tools: ["@read-only", "list"], resources: ["db://*"] }),
  );
  expect(both?.restricts).toEqual({ tools: true, prompts: true, resources: true });
  expect(both?.toolNamed("list")).toBe(true);
  expect(both?.toolNamed("write")).toBe(false);
  expect(both?.toolNamed("read_file")).toBeUndefined();
  expect(both?.tool({ name: "read_file", annotations: READ_ONLY })).toBe(true);
  expect(both?.tool({ name: "stat", annotations: READ_ONLY })).toBe(false);
  expect([both?.prompt("ab"), both?.prompt("b")]).toEqual([true, false]);
  expect([both?.resource("db://x"), both?.resource("fs://x")]).toEqual([true, false]);
  expect(intersect(undefined)).toBeUndefined();
});

test("no pattern and no name make an answer slow", () => {
  const rules = compileRules({ tools: ["a*".repeat(120)], resources: ["a*".repeat(120)] });
  const started = performance.now();
  expect(rules.toolNamed(`${"a".repeat(1_000_000)}b`)).toBe(true);
  expect(rules.resource("%25".repeat(300_000))).toBe(false);
  expect(rules.resource("/..".repeat(300_000))).toBe(false);
  expect(performance.now() - started).toBeLessThan(1000);
});
