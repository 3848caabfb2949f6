import { describe, expect, test } from "bun:test";
import { readHeaderFacts, readRpcFacts } from "../../../../src/plugins/mcp/rpc-facts.ts";
import { isRpcFailure } from "../../../../src/plugins/mcp/rpc-verdict.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const nameIn = (text: string): string | undefined => readRpcFacts(bytes(text)).functionName;

describe("the function that is called", () => {
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
    expect(nameIn(text)).toBe(name as string | undefined); // the table mixes both
  });

  test("is taken from headers for a body that is not looked at", () => {
    const facts = (headers: Record<string, string>) => readHeaderFacts(new Headers(headers));
    expect(facts({ "mcp-method": "tools/call", "mcp-name": "search" })).toMatchObject({
      method: "tools/call",
      functionName: "search",
    });
    expect(facts({ "mcp-method": "tools/call", "mcp-name": "=?base64?c8Op?=" }).functionName).toBe("sé");
    expect(facts({ "mcp-method": "prompts/get", "mcp-name": "search" }).functionName).toBeUndefined();
    expect(facts({ "mcp-name": "search" }).functionName).toBeUndefined();
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
])("an id of %s is one, to be put into an answer as it is: %p", (id, isOne) => {
  expect(readRpcFacts(bytes(`{"id":${id}}`)).id).toBe(isOne ? id : undefined);
});

test.each([
  ['{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}', true],
  ['{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}', true],
  ['{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError": false}}', false],
  ['{"jsonrpc":"2.0","id":1,"result":{"content":[{"isError":true,"error":1}]}}', false],
  ['{"jsonrpc":"2.0","id":1,"result":{"text":"\\"error\\": {}"}}', false],
  ['{"result":{}}', false],
  ["", false],
  ['"error"', false],
  [`{"error":"${"x".repeat(5000)}"}`, false],
])("whether %p is a failure is seen at once: %p", (text, isFailure) => {
  expect(isRpcFailure(bytes(text))).toBe(isFailure);
});
