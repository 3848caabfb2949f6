import { expect, test } from "bun:test";
import fc from "fast-check";
import { comment, dataEvent, namedEvent, separator } from "../../../src/reply/sse.ts";
import { type LineState, lineStateAfter } from "../../../src/wire/line-state.ts";
import { times } from "../../support/times.ts";

const encoder = new TextEncoder();

/** Where a stream stands after `text`, by the rules of the WHATWG's event stream: lines end with CRLF, LF or CR. */
function trueState(text: string): LineState {
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) !== "") return "inside";
  return lines.length < 2 || lines.at(-2) === "" ? "boundary" : "line";
}

/** The state after the chunks, one by one. */
function stateAfter(chunks: readonly string[]): LineState {
  return chunks.reduce<LineState>((state, chunk) => lineStateAfter(encoder.encode(chunk), state), "boundary");
}

/** The text cut into two at every place, and into single bytes. */
function splits(text: string): string[][] {
  return [...Array.from(text, (_, at) => [text.slice(0, at), text.slice(at)]), [...text], [text]];
}

/** Events as a reader of the standard dispatches them. */
function dispatched(text: string): string[] {
  const events: string[] = [];
  let data: string[] = [];
  const lines = text.split(/\r\n|\n|\r/);
  // What has no line end is not looked at.
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data.length > 0) events.push(data.join("\n"));
      data = [];
    } else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  return events;
}

const line = fc.constantFrom("", "data: x", "data: y", "event: z", ": note", "id");

test("the state of a stream with LF is exact after every prefix, however it is split", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.boolean(), (lines, isWhole) => {
      const text = lines.join("\n") + (isWhole ? "\n" : "");
      for (let length = 0; length <= text.length; length += 1) {
        const prefix = text.slice(0, length);
        for (const chunks of splits(prefix)) expect(stateAfter(chunks)).toBe(trueState(prefix));
      }
    }),
  );
});

test("the state of a stream with CRLF is exact after every whole line, if lines are not split", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const chunks = lines.map((text) => `${text}\r\n`);
      expect(stateAfter(chunks)).toBe(trueState(chunks.join("")));
      expect(stateAfter([chunks.join("")])).toBe(trueState(chunks.join("")));
    }),
  );
});

test("the state of a stream with any line ends never claims more of an end than there is, however it is split", () => {
  const rank: Readonly<Record<LineState, number>> = { inside: 0, line: 1, boundary: 2 };
  const piece = fc.constantFrom("data: x", "\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const text = pieces.join("");
      for (const chunks of [...splits(text), pieces])
        expect(rank[stateAfter(chunks)]).toBeLessThanOrEqual(rank[trueState(text)]);
    }),
    { numRuns: times(2000) },
  );
});

test("an error event after any stream, cut off anywhere, is parsed as a separate event", () => {
  const ending = fc.constantFrom("\n", "\r\n", "\r");
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), ending, fc.nat(60), (lines, end, cut) => {
      const text = lines
        .map((each) => each + end)
        .join("")
        .slice(0, cut);
      for (const chunks of splits(text)) {
        const error = dataEvent({ error: { code: "worker_lost" } });
        const events = dispatched(text + separator(stateAfter(chunks)) + error);
        expect(events.at(-1)).toBe('{"error":{"code":"worker_lost"}}');
      }
    }),
    { numRuns: times(1000) },
  );
});

test("a comment between lines changes no event", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.constantFrom("\n", "\r\n"), (lines, end) => {
      const text = lines.map((each) => each + end).join("");
      for (let at = 0; at <= text.length; at += 1) {
        if (stateAfter([...text.slice(0, at)]) === "inside") continue;
        const kept = text.slice(0, at) + comment("keep-alive") + text.slice(at);
        expect(dispatched(kept)).toEqual(dispatched(text));
      }
    }),
  );
});

test("an empty piece leaves the state unchanged", () => {
  for (const state of ["boundary", "line", "inside"] as const)
    expect(lineStateAfter(new Uint8Array(0), state)).toBe(state);
});

test("only the needed line ends precede an event", () => {
  expect([separator("boundary"), separator("line"), separator("inside")]).toEqual(["", "\n", "\n\n"]);
});

test("a comment is one line, and an event ends with an empty line", () => {
  expect(comment("queued position=3")).toBe(": queued position=3\n");
  expect(dataEvent({ a: "line\nbreak" })).toBe('data: {"a":"line\\nbreak"}\n\n');
  expect(namedEvent("error", { a: 1 })).toBe('event: error\ndata: {"a":1}\n\n');
});
