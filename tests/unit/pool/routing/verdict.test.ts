import { describe, expect, test } from "bun:test";
import { verdictOf } from "../../../../src/pool/routing/verdict.ts";
import type { ExchangeEnd } from "../../../../src/tunnel/exchange.ts";
import type { HeaderPairs } from "../../../../src/wire/heads.ts";

const answered = (status: number, headers: HeaderPairs = []) =>
  verdictOf({ end: { kind: "complete" }, head: { status, headers }, wasSilent: false });
const ended = (end: ExchangeEnd, wasSilent = false) => verdictOf({ end, head: undefined, wasSilent });
const broken = (code: Extract<ExchangeEnd, { kind: "broken" }>["code"]) => ended({ kind: "broken", code, message: "" });

describe("a failure of the model on its worker is", () => {
  test.each([500, 502, 503, 504, 529])("an answer with status %i", (status) => {
    expect(answered(status)).toEqual({ link: "worked", model: "failed", reason: `status ${status}` });
  });

  test("an answer that breaks off, and a backend that takes too long", () => {
    expect(broken("upstream_error")).toEqual({ link: "worked", model: "failed", reason: "upstream_error" });
    expect(broken("timeout")).toEqual({ link: "worked", model: "failed", reason: "timeout" });
    expect(ended({ kind: "canceled" }, true)).toEqual({ model: "failed", reason: "silent" });
  });
});

describe("a failure of the worker, for all its models, is", () => {
  test("a backend that cannot be reached, a lost link, and a broken protocol", () => {
    for (const code of ["upstream_unreachable", "protocol_error", "flow_control", "internal"] as const)
      expect(broken(code)).toEqual({ link: "failed", reason: code });
    expect(ended({ kind: "lost", reason: "gone" })).toEqual({ link: "failed", reason: "lost" });
  });
});

describe("no failure of anybody is", () => {
  test.each([400, 401, 404, 413, 422, 429, 501])("an answer with status %i, which rejects the request", (status) => {
    expect(answered(status)).toEqual({ link: "worked" });
  });

  test("a 503 that says when to come again", () => {
    expect(answered(503, [["Retry-After", "5"]])).toEqual({ link: "worked" });
  });

  test("a client that leaves, a worker that leaves in order or is full, and a request that it cannot take", () => {
    expect(ended({ kind: "canceled" })).toEqual({});
    expect(broken("draining")).toEqual({});
    expect(broken("canceled")).toEqual({});
    expect(ended({ kind: "refused", message: "" })).toEqual({});
    expect(ended({ kind: "too_large", maxBytes: 1 })).toEqual({});
    expect(ended({ kind: "unsupported", exchangeKind: "x" })).toEqual({});
  });
});

test("an answer without an error shows that worker and model work", () => {
  for (const status of [200, 204, 302]) expect(answered(status)).toEqual({ link: "worked", model: "worked" });
});
