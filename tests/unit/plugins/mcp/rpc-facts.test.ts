import { describe, expect, test } from "bun:test";
import { type RpcFacts, readFacts } from "../../../../src/plugins/mcp/rpc-facts.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const post = (text: string, headers: Record<string, string> = {}): RpcFacts =>
  readFacts({ method: "POST", headers: new Headers(headers) }, bytes(text));
const unread = (headers: Record<string, string>, method = "POST"): RpcFacts =>
  readFacts({ method, headers: new Headers(headers) }, undefined);

describe("the called function", () => {
  test.each([
    ['{"method":"tools/call","params":{"name":"search","arguments":{"name":"not this"}}}', "search"],
    ['{"params":{"arguments":{"name":"nor this"},"name":"s\\u00e9"},"method":"tools/call"}', "sé"],
    ['{"method":"prompts/get","params":{"name":"search"}}', undefined],
    ['{"method":"tools/call","params":["search"]}', undefined],
    ['{"method":"tools/call","params":{"name":7}}', undefined],
    ['{"method":"tools/call"}', undefined],
    [`{"method":"tools/call","params":{"name":"${"x".repeat(1100)}"}}`, undefined],
    ['{"method":"tools/call","params":{"name":"cut', undefined],
  ])("in %p is %p", (text, name) => {
    expect(post(text).functionName).toBe(name as string | undefined); // the table mixes both
  });

  test("is taken from headers if the body is not parsed", () => {
    expect(unread({ "mcp-method": "tools/call", "mcp-name": "search" })).toMatchObject({
      label: "tools/call",
      functionName: "search",
    });
    expect(unread({ "mcp-method": "tools/call", "mcp-name": "=?base64?c8Op?=" }).functionName).toBe("sé");
    expect(unread({ "mcp-method": "prompts/get", "mcp-name": "search" }).functionName).toBeUndefined();
    expect(unread({ "mcp-name": "search" }).functionName).toBeUndefined();
    const said = { "mcp-method": "tools/call", "mcp-name": "of the headers" };
    expect(post('{"method":"tools/call","params":{"name":"of the body"}}', said).functionName).toBe("of the body");
  });
});

test.each([
  ["0", true],
  ["-0.5e+7", true],
  ["12345678901234567890", true],
  ['"a\\u0000"', true],
  ["007", false],
  ["-01", false],
  ["1.", false],
  ["+1", false],
  ["null", false],
  ['"a\\x"', false],
])("a request id of %s is repeated in an answer as %p", (id, isOne) => {
  expect(post(`{"id":${id}}`).id).toBe(isOne ? id : undefined);
});

test.each([
  ['{"method":"tools/list"}', "tools/list"],
  ['{"method":"made/up"}', "other"],
  [`{"method":"${"x".repeat(200)}"}`, "other"],
  ["[]", "other"],
  ["", "other"],
])("a POST of %p is counted as %s", (text, label) => {
  expect(post(text).label).toBe(label);
});

test("other HTTP methods are counted under their own names", () => {
  expect(["GET", "DELETE"].map((method) => unread({}, method).label)).toEqual(["GET", "DELETE"]);
});

test("an answer stays open for a GET, and for a listening call by its headers or its body", () => {
  expect(unread({}, "GET").isStream).toBe(true);
  expect(unread({}, "DELETE").isStream).toBe(false);
  expect(unread({ "mcp-method": "subscriptions/listen" }).isStream).toBe(true);
  expect(post('{"method":"subscriptions/listen"}').isStream).toBe(true);
  expect(post('{"method":"tools/call"}').isStream).toBe(false);
  expect(post('{"method":"subscriptions/listen"}', { "mcp-method": "tools/call" }).isStream).toBe(false);
});
