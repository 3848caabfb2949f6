import { expect, test } from "bun:test";
import fc from "fast-check";
import { LastEvent } from "../../../src/wire/last-event.ts";

const encoder = new TextEncoder();

function after(pieces: readonly string[]): LastEvent {
  const last = new LastEvent();
  for (const piece of pieces) last.push(encoder.encode(piece));
  return last;
}

/** The text whole, in single bytes, and cut into two at every place. */
function cuts(text: string): readonly (readonly string[])[] {
  return [[text], [...text], ...Array.from(text, (_, at) => [text.slice(0, at), text.slice(at)])];
}

const DELTA = 'data: {"choices":[{"delta":{"content":"data: [DONE]\\n\\n"}}]}\n\n';
const LARGE = `{"type":"response.completed","response":{"instructions":"${"x".repeat(300)}"}}`;

test.each([
  ["[DONE]", `${DELTA}data: [DONE]\n\n`],
  ["[DONE] without a blank after the colon", `${DELTA}data:[DONE]\n\n`],
  ["[DONE] as the only event", "data: [DONE]\n\n"],
  ["[DONE] with CRLF", "data: 1\r\n\r\ndata: [DONE]\r\n\r\n"],
  ["[DONE] with one newline", `${DELTA}data: [DONE]\n`],
  ["[DONE] without its line's end", `${DELTA}data: [DONE]`],
  ["[DONE] and another blank line", `${DELTA}data: [DONE]\n\n\n`],
  ["[DONE] and a comment", `${DELTA}data: [DONE]\n\n: bye\n\n`],
  ["message_stop", 'event: x\ndata: {}\n\nevent: message_stop\ndata: {"type": "message_stop"}\n\n'],
  ["response.completed", `data: 1\n\nevent: response.completed\ndata: ${LARGE}\n\n`],
  ["response.completed without a name", `data: 1\n\ndata: ${LARGE}\n\n`],
  ["response.failed", 'event: response.failed\ndata: {"response":{}}\n\n'],
  ["response.incomplete", 'event: response.incomplete\ndata: {"response":{}}\n\n'],
  ["transcript.text.done", 'data: {"type":"transcript.text.done","text":"a"}\n\n'],
  ["an error object", 'data: 1\n\ndata: {"error":{"message":"no"}}\n\n'],
  ["an error event", 'event: error\ndata: {"type":"error","error":{}}\n\n'],
])("a stream that ends with %s has said its last event, however it is cut", (_, text) => {
  for (const pieces of cuts(text)) expect([pieces, after(pieces).isTerminal]).toEqual([pieces, true]);
});

test.each([
  ["nothing", ""],
  ["an ordinary event", DELTA],
  ["text that quotes the last event", `${DELTA}${DELTA}`],
  ["an unfinished event", 'event: message_stop\ndata: {"type": "mess'],
  ["a name without data", "data: 1\n\nevent: message_stop\n"],
  ["an event after the last one", `data: [DONE]\n\n${DELTA}`],
  ["a usage chunk", 'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'],
  ["a chunk whose error is null", 'data: {"error":null,"choices":[]}\n\n'],
  ["a comment", ": [DONE]\n\n"],
  ["an unfinished [DONE]", "data: 1\n\ndata: [DON"],
])("a stream that ends with %s has not, however it is cut", (_, text) => {
  for (const pieces of cuts(text)) expect([pieces, after(pieces).isTerminal]).toEqual([pieces, false]);
});

test("a last event that arrives in many pieces is recognized by its beginning", () => {
  const head = 'data: 1\n\nevent: response.completed\ndata: {"type":"response.completed","response":"';
  const pieces = [head, ...Array.from({ length: 50 }, () => "y".repeat(1000)), '"}\n\n'];
  expect(after(pieces).isTerminal).toBe(true);
  expect(after(pieces.slice(0, -1)).isTerminal).toBe(false);
});

test("any bytes in any pieces raise no error, and a stream is inside a line until that has ended", () => {
  expect(after([]).isInsideLine).toBe(false);
  expect(after(["data: 1\n\n"]).isInsideLine).toBe(false);
  expect(after(["data: 1\n"]).isInsideLine).toBe(false);
  expect(after(["data: 1"]).isInsideLine).toBe(true);
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom("\n", "\r\n", "data: [DONE]", ":", "event: error\n"),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (given) => {
      const last = new LastEvent();
      for (const each of given) last.push(typeof each === "string" ? encoder.encode(each) : each);
      expect(typeof last.isTerminal).toBe("boolean");
    }),
  );
});
