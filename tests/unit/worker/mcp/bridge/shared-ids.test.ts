import { expect, test } from "bun:test";
import type { JSONRPCMessage, JSONRPCRequest } from "@modelcontextprotocol/server";
import fc from "fast-check";
import { namesOf, sharedIdOf, toOwn, toShared } from "../../../../../src/worker/mcp/bridge/shared-ids.ts";

const SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId";
const name = fc.oneof(fc.string(), fc.integer());
const shared = fc.integer({ min: 1 });

function request(id: string | number, token?: string | number): JSONRPCRequest {
  const _meta = token === undefined ? { other: 1 } : { other: 1, progressToken: token };
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name: "x", _meta } };
}

test("a request gets one unique number for its id and its progress token, and is otherwise unchanged", () => {
  fc.assert(
    fc.property(name, name, shared, (id, token, number) => {
      const own = request(id, token);
      const before = structuredClone(own);
      expect(toShared(own, number)).toEqual(request(number, number));
      expect(own).toEqual(before);
      expect(toShared(request(id), number)).toEqual(request(number));
    }),
  );
});

test("messages about a request are matched by that number, and passed on with the client's id and token", () => {
  fc.assert(
    fc.property(name, name, shared, (id, token, number) => {
      const names = namesOf(request(id, token));
      const pairs = (of: string | number, by: string | number): readonly JSONRPCMessage[] => [
        { jsonrpc: "2.0", id: of, result: { content: [], _meta: { other: 1 } } },
        { jsonrpc: "2.0", id: of, result: { _meta: { other: 1, [SUBSCRIPTION]: of } } },
        { jsonrpc: "2.0", id: of, error: { code: 1, message: "no" } },
        { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: by, progress: 1 } },
        { jsonrpc: "2.0", method: "notifications/x", params: { a: 1, _meta: { [SUBSCRIPTION]: of } } },
      ];
      const own = pairs(id, token);
      for (const [at, message] of pairs(number, number).entries()) {
        expect(sharedIdOf(message)).toBe(number);
        expect(toOwn(message, names)).toEqual(own[at] ?? expect.unreachable());
      }
    }),
  );
});

test("messages about no request, or about an unknown one, go to nobody", () => {
  expect(sharedIdOf({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })).toBeUndefined();
  expect(sharedIdOf({ jsonrpc: "2.0", id: 1, method: "ping" })).toBeUndefined();
  expect(sharedIdOf({ jsonrpc: "2.0", id: "1", result: {} })).toBeUndefined();
  expect(sharedIdOf({ jsonrpc: "2.0", error: { code: 1, message: "no" } })).toBeUndefined();
});
