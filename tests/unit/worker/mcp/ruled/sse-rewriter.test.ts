import { describe, expect, test } from "bun:test";
import { SseRewriter } from "../../../../../src/worker/mcp/ruled/sse-rewriter.ts";

const rewrite = (data: string) => (data.includes("hide") ? "none" : data.includes("cut") ? '"CUT"' : "same");

/** Sends a text in pieces of a size, and returns what comes out. */
function through(text: string, size: number): string {
  const rewriter = new SseRewriter(rewrite);
  const bytes = new TextEncoder().encode(text);
  const out: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(rewriter.push(bytes.slice(at, at + size)));
  out.push(rewriter.end());
  return Buffer.concat(out).toString();
}

describe.each([1, 2, 3, 7, 1000])("in pieces of %d bytes", (size) => {
  test.each([
    ["events whose data stay the same", 'event: message\nid: 1\nretry: 5\ndata: {"a":"ä€😀"}\n\ndata:x\ndata: y\n\n'],
    ["comments", ":\n\n: alive\n\ndata: a\n: inside\n\n:\n"],
    ["carriage returns and line feeds", "id: 1\r\ndata: a\r\n\r\n:\r\n\r\ndata: b\r\n\r\n"],
    ["carriage returns alone", "id: 1\rdata: a\r\r:\r\rdata: b\r\r"],
    ["priming events without data", "id: 0\ndata: \n\nid: 1\n\ndata\n\n"],
    ["an end without a blank line", "data: a\n\ndata: b"],
    ["a byte order mark", "\ufeffdata: a\n\n"],
    ["nothing", ""],
  ])("%s pass with their very bytes", (_what, text) => {
    expect(through(text, size)).toBe(text);
  });

  test.each([
    ["data: cut\n\n", 'data: "CUT"\n\n'],
    ["data:cut\n\n", 'data: "CUT"\n\n'],
    [
      "id: 7\nevent: message\ndata: a\ndata: cut\nretry: 1\n\ndata: b\n\n",
      'id: 7\nevent: message\nretry: 1\ndata: "CUT"\n\ndata: b\n\n',
    ],
    ["data: cut\r\n\r\ndata: b\r\n\r\n", 'data: "CUT"\n\ndata: b\r\n\r\n'],
    ["data: cut\r\rdata: b\r\r", 'data: "CUT"\n\ndata: b\r\r'],
    ["\ufeffdata: cut\n\n", 'data: "CUT"\n\n'],
    [":\n\ndata: cut\n\n", ':\n\ndata: "CUT"\n\n'],
    ["data: b\n\ndata: cut", 'data: b\n\ndata: "CUT"\n\n'],
  ])("%j becomes %j", (text, expected) => {
    // The line feed after the last carriage return of an event comes by itself, where the two are not in one piece.
    const got = through(text, size);
    expect(got.replace('"CUT"\n\n\n', '"CUT"\n\n')).toBe(expected);
  });

  test("an event without its data keeps what a client resumes with", () => {
    expect(through("id: 7\ndata: hide\n\ndata: hide\n\ndata: a\n\n", size)).toBe("id: 7\n\ndata: a\n\n");
  });
});

test("holds back no more than an event that has not ended", () => {
  const rewriter = new SseRewriter(rewrite);
  const push = (text: string): string => Buffer.from(rewriter.push(new TextEncoder().encode(text))).toString();
  expect(push(": alive\n")).toBe(": alive\n");
  expect(push("\ndata: a")).toBe("\n");
  expect(rewriter.pendingBytes).toBe(7);
  expect(push("\n\n:\n")).toBe("data: a\n\n:\n");
  expect(rewriter.pendingBytes).toBe(0);
});

test("takes time in proportion to the bytes, whatever ends their lines", () => {
  for (const text of ["\r", "\n", "\r\n", ":\n", "data: x\n"]) {
    const bytes = new TextEncoder().encode(text.repeat(200_000));
    const rewriter = new SseRewriter(rewrite);
    const started = performance.now();
    rewriter.push(bytes);
    rewriter.end();
    expect(performance.now() - started).toBeLessThan(2000);
  }
});
