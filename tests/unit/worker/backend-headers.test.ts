import { expect, test } from "bun:test";
import { isHeaderPairs } from "../../../src/wire/heads.ts";
import { errorCode, toBackendHeaders, toFailure, toHeaderPairs } from "../../../src/worker/backend.ts";

test("headers about the message reach the backend, and hop-by-hop and credential headers do not", () => {
  const headers = toBackendHeaders(
    [
      ["Content-Type", "application/json"],
      ["X-Request-Id", "req_1"],
      ["X-Two", "a"],
      ["X-Two", "b"],
      ["Authorization", "Bearer of-the-client"],
      ["X-Api-Key", "of-the-client"],
      ["Cookie", "a=b"],
      ["Host", "evil.example"],
      ["Content-Length", "5"],
      ["Transfer-Encoding", "chunked"],
      ["Connection", "keep-alive, X-Hop"],
      ["connection", "x-hop-too"],
      ["X-Hop", "1"],
      ["X-Hop-Too", "1"],
      ["Accept-Encoding", "gzip"],
    ],
    undefined,
  );
  expect(Object.fromEntries(headers)).toEqual({
    "accept-encoding": "identity",
    "content-type": "application/json",
    "x-request-id": "req_1",
    "x-two": "a, b",
  });
});

test("the backend's key replaces the client's", () => {
  const headers = toBackendHeaders([["authorization", "Bearer of-the-client"]], "of-the-backend");
  expect(headers.get("authorization")).toBe("Bearer of-the-backend");
});

test("a backend's response headers are forwarded, repeated ones too, except hop-by-hop ones", () => {
  const headers = new Headers({
    "content-type": "text/plain",
    connection: "close, x-hop",
    "x-hop": "1",
    "keep-alive": "timeout=5",
  });
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  expect(toHeaderPairs(headers)).toEqual([
    ["content-type", "text/plain"],
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
  ]);
});

test("every forwarded header is one that a frame may carry", () => {
  const headers = new Headers({ "x-good": "caf\u00e9" });
  // A server may write what it likes; these are the values that a response can really hold.
  for (const [index, code] of [0x01, 0x08, 0x0b, 0x1f, 0x7f, 0x9f].entries()) {
    try {
      headers.set(`x-${index}`, `a${String.fromCharCode(code)}b`);
    } catch {
      // Not even a Headers object takes this one.
    }
  }
  expect(isHeaderPairs(toHeaderPairs(headers))).toBe(true);
  expect(toHeaderPairs(headers)).toContainEqual(["x-good", "caf\u00e9"]);
});

test("an unreachable backend is distinguished from one that broke off", () => {
  const refused = Object.assign(new TypeError("x"), { code: "ECONNREFUSED" });
  const reset = Object.assign(new TypeError("x"), { code: "ECONNRESET" });
  expect(toFailure(refused)).toEqual({
    code: "upstream_unreachable",
    message: "the server behind this worker does not answer: ECONNREFUSED",
  });
  expect(toFailure(reset).code).toBe("upstream_error");
  const cut = Object.assign(new TypeError("x"), { code: "ERR_HTTP_CONTENT_LENGTH_MISMATCH" });
  expect(toFailure(cut).code).toBe("protocol_error");
  expect(errorCode("what")).toBe("unknown");
});
