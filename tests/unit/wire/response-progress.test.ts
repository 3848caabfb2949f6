import { expect, test } from "bun:test";
import type { HeaderPairs } from "../../../src/wire/heads.ts";
import { ResponseProgress } from "../../../src/wire/response-progress.ts";

const encoder = new TextEncoder();
const EVENTS: HeaderPairs = [["Content-Type", "text/event-stream; charset=utf-8"]];

function isWhole(headers: HeaderPairs, ...pieces: readonly string[]): boolean {
  const progress = new ResponseProgress(headers);
  for (const piece of pieces) progress.push(encoder.encode(piece));
  return progress.isWhole;
}

test("a response with a declared length is whole when all its bytes have arrived, and neither before nor after", () => {
  const headers: HeaderPairs = [["Content-Length", "4"]];
  expect(isWhole(headers, "ab", "c")).toBe(false);
  expect(isWhole(headers, "ab", "cd")).toBe(true);
  expect(isWhole(headers, "ab", "cde")).toBe(false);
  expect(isWhole([["content-length", "0"]])).toBe(true);
});

test("an event stream is whole when it has said its last event", () => {
  expect(isWhole(EVENTS, "data: 1\n\n")).toBe(false);
  expect(isWhole(EVENTS, "data: 1\n\n", "data: [DONE]\n\n")).toBe(true);
});

test("the declared length decides for an event stream that has one", () => {
  expect(isWhole([...EVENTS, ["content-length", "100"]], "data: [DONE]\n\n")).toBe(false);
});

test.each<[string, HeaderPairs]>([
  ["no length and no events", [["content-type", "application/json"]]],
  ["a length that is no number", [["content-length", "12, 12"]]],
  ["a compressed event stream", [...EVENTS, ["content-encoding", "gzip"]]],
])("a response with %s is never known to be whole", (_, headers) => {
  expect(isWhole(headers, "data: [DONE]\n\n")).toBe(false);
});
