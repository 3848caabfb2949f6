import { describe, expect, test } from "bun:test";
import { sessionIn } from "../../../../../../src/worker/mcp/bridge/direct/direct-head.ts";
import { readPlainAnswer, renamedAnswer } from "../../../../../../src/worker/mcp/bridge/direct/plain-answer.ts";
import {
  bytesOf,
  isOfSession,
  MAX_PLAIN_BYTES,
  readPlainCall,
} from "../../../../../../src/worker/mcp/bridge/direct/plain-call.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (read: Uint8Array): string => new TextDecoder().decode(read);
const call = (params: string): string => `{"jsonrpc":"2.0", "id":7, "method":"tools/call", "params":${params}}`;
const deep = `${"[".repeat(1500)}${"]".repeat(1500)}`;
const many = (count: number): string => Array.from({ length: count }, (_, at) => `"m${at}":1`).join(", ");

describe("a body is passed on in its own bytes", () => {
  test.each([
    ["with white space", call('{ "name" : "small" }')],
    ["with members that nothing here reads twice", call('{"name":"small", "arguments":{"a":1, "a":2}}')],
    ["with escapes", call('{"name":"sm\\u0061ll"}')],
    ["with a progress token", call('{"name":"small", "_meta":{"progressToken":"t"}}')],
  ])("%s", (_name, body) => {
    const read = readPlainCall(bytes(body));
    expect(read?.message.params?.["name"]).toBe("small");
    expect(read?.written).toBeDefined();
  });

  test("under the names that its message has by then", () => {
    const read = readPlainCall(bytes(call('{ "name":"a", "n":1.0, "_meta":{"progressToken" : "t"} }')));
    if (!read) throw new Error("it was not read");
    const params = { ...read.message.params, name: "b", _meta: { progressToken: 9 } };
    expect(text(bytesOf({ ...read, message: { ...read.message, id: 8, params } }))).toBe(
      '{"jsonrpc":"2.0", "id":8, "method":"tools/call", "params":{ "name":"b", "n":1.0, "_meta":{"progressToken" : 9} }}',
    );
  });
});

describe("a body is never passed on in its own bytes", () => {
  test.each([
    ["with two names", call('{"name":"other", "name":"small"}')],
    ["with a second name in escapes", call('{"name":"other", "n\\u0061me":"small"}')],
    ["with two ids", '{"jsonrpc":"2.0","id":6,"id":7,"method":"tools/call","params":{"name":"small"}}'],
    ["with two methods", '{"jsonrpc":"2.0","id":7,"method":"x","method":"tools/call","params":{"name":"small"}}'],
    ["with two params", '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{},"params":{"name":"small"}}'],
    ["with two metadata", call('{"name":"small", "_meta":{}, "_meta":{"progressToken":1}}')],
    ["with two tokens", call('{"name":"small", "_meta":{"progressToken":1, "progressToken":2}}')],
    ["with too many parameters", call(`{"name":"small", ${many(40)}}`)],
    ["with too many metadata", call(`{"name":"small", "_meta":{ ${many(40)}}}`)],
    ["with more members", '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"small"},"Method":"x"}'],
    ["with a mark of its byte order", `\ufeff${call('{"name":"small"}')}`],
    ["that is nested too deeply", call(`{"name":"small","arguments":${deep}}`)],
    ["that is large", call(`{"name":"small","arguments":"${"x".repeat(MAX_PLAIN_BYTES)}"}`)],
    ["in a batch", `[${call('{"name":"small"}')}]`],
    ["of another method", call('{"name":"small"}').replace("tools/call", "tools/list")],
    ["of a method that objects have", call('{"name":"small"}').replace("tools/call", "constructor")],
    ["whose name is no text", call('{"name":["small"]}')],
  ])("%s", (_name, body) => {
    expect(readPlainCall(bytes(body))).toBeUndefined();
  });

  test("that is not UTF-8", () => {
    const body = bytes(call('{"name":"smal?"}'));
    body[body.indexOf(0x3f)] = 0xff;
    expect(readPlainCall(body)).toBeUndefined();
  });
});

test("a call of a revision without sessions is none of a session", () => {
  const of = (meta: string): boolean | undefined => {
    const read = readPlainCall(bytes(call(`{"name":"small", "_meta":{${meta}}}`)));
    return read && isOfSession(read);
  };
  expect(of('"x":1')).toBe(true);
  expect(of('"io.modelcontextprotocol/protocolVersion":"2026-07-28"')).not.toBe(true);
  expect(of('"io.modelcontextprotocol/anything":1')).not.toBe(true);
});

describe("an answer in its own bytes", () => {
  test("gets the client's own id", () => {
    const read = readPlainAnswer(bytes('{ "id":3, "result":{"id":3, "x":1.0}, "jsonrpc":"2.0" }'), 3);
    expect(read?.raw && text(renamedAnswer(read.raw, "own"))).toBe(
      '{ "id":"own", "result":{"id":3, "x":1.0}, "jsonrpc":"2.0" }',
    );
  });

  test.each([
    ["of another request", '{ "id":4, "result":{}, "jsonrpc":"2.0" }'],
    ["of another request under a text that looks the same", '{ "id":"3", "result":{}, "jsonrpc":"2.0" }'],
    ["with two ids", '{"id":4, "id":3, "result":{}, "jsonrpc":"2.0"}'],
    ["with two results", '{"id":3, "result":{"x":1}, "result":{}, "jsonrpc":"2.0"}'],
    ["with more members", '{"id":3, "result":{}, "jsonrpc":"2.0", "error":{}}'],
    ["that is an error", '{"id":3, "error":{"code":1,"message":"no"}, "jsonrpc":"2.0"}'],
    ["that is nested too deeply", `{"id":3, "result":{"x":${deep}}, "jsonrpc":"2.0"}`],
    ["with a mark of its byte order", '\ufeff{"id":3,"result":{},"jsonrpc":"2.0"}'],
  ])("is none %s", (_name, body) => {
    expect(readPlainAnswer(bytes(body), 3)).toBeUndefined();
  });
});

describe("a head is looked at again", () => {
  const usual: readonly (readonly [string, string])[] = [
    ["Accept", "application/json, text/event-stream"],
    ["Content-Type", "application/json"],
    ["Mcp-Session-Id", "one"],
  ];
  test("unless it is that of a call in a session", () => {
    expect(sessionIn({ method: "POST", path: "/", headers: usual })).toBe("one");
  });
  test.each<[string, readonly (readonly [string, string])[]]>([
    ["with two sessions", [...usual, ["mcp-session-id", "two"]]],
    ["with two types", [...usual, ["content-type", "application/json"]]],
    ["with two revisions", [...usual, ["mcp-protocol-version", "2025-06-18"], ["mcp-protocol-version", "2025-06-18"]]],
    ["with another header of the transport", [...usual, ["MCP-Method", "tools/list"]]],
    ["of a revision without sessions", [...usual, ["mcp-protocol-version", "2026-07-28"]]],
    ["that takes no event streams", [["accept", "application/json;q=1, text/event-stream;q=0"], ...usual.slice(1)]],
  ])("%s", (_name, headers) => {
    expect(sessionIn({ method: "POST", path: "/", headers })).toBeUndefined();
  });
});
