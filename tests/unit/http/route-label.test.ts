import { expect, test } from "bun:test";
import { routeOf } from "../../../src/http/route-label.ts";

test.each([
  ["/v1/chat/completions", "/v1/chat/completions"],
  ["/v1/models?key=secret", "/v1/models"],
  ["/api/transfer/n3ZkyW9hQ7s2dVb0TtXo1PqL4u", "/api/transfer/*"],
  ["/api/llm/id/8f1c22e07a6b4d39b05f6e1d2c3a4b59/v1/embeddings", "/api/llm/id/*/v1/embeddings"],
  ["/api/llm/id/gpu-1/v1/audio/transcriptions", "/api/llm/id/gpu-1/v1/audio/transcriptions"],
])("the route of %s is %s: no query, and no segment that may be a secret id", (path, route) => {
  expect(routeOf({ url: `http://server.test${path}` })).toBe(route);
});

test("a request whose Host makes no valid URL has a route all the same", () => {
  expect(routeOf({ url: "http://a b%/v1/chat/completions?key=secret" })).toBe("/v1/chat/completions");
  expect(routeOf({ url: "" })).toBe("");
});

test("a route of any length is cut", () => {
  expect(routeOf({ url: `http://server.test/${"a/".repeat(1000)}` })).toHaveLength(128);
});
