import { expect, test } from "bun:test";
import { UsageEventCut } from "../../../src/reply/usage-event-cut.ts";

const CHUNK = 'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n';
const USAGE = 'data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3}}\n\n';
const DONE = "data: [DONE]\n\n";

/** What passes after each piece, and the number of bytes removed. */
function run(...pieces: readonly string[]): { readonly steps: readonly string[]; readonly removed: number } {
  let passed = "";
  let removed = 0;
  const cut = new UsageEventCut((bytes) => {
    expect(bytes.length).toBeGreaterThan(0);
    passed += Buffer.from(bytes).toString();
  });
  const steps = pieces.map((piece) => {
    passed = "";
    removed += cut.push(Buffer.from(piece));
    return passed;
  });
  passed = "";
  cut.end();
  return { steps: [...steps, passed], removed };
}

test("the event with a usage and no choices is removed, and everything else passes with its piece", () => {
  expect(run(CHUNK, CHUNK, USAGE, DONE)).toEqual({ steps: [CHUNK, CHUNK, "", DONE, ""], removed: USAGE.length });
  expect(run(CHUNK + USAGE + DONE).steps).toEqual([CHUNK + DONE, ""]);
});

test("an event that cannot be the one passes at once, although it is not whole", () => {
  const at = CHUNK.indexOf("{", CHUNK.indexOf("choices")) + 1;
  const pieces = [CHUNK.slice(0, at), CHUNK.slice(at, at + 5), CHUNK.slice(at + 5), "data: [DO", "NE]\n\n"];
  expect(run(...pieces).steps).toEqual([...pieces, ""]);
  const isNull = ['data: {"usage":null,', '"choices":[]}', "\n\n"];
  expect(run(...isNull).steps).toEqual([...isNull, ""]);
  expect(run("data: 12", "3\n\n").steps).toEqual(["data: 12", "3\n\n", ""]);
});

test("an event that may be the one is held until it is whole", () => {
  expect(run(USAGE.slice(0, 90), USAGE.slice(90), DONE).steps).toEqual(["", "", DONE, ""]);
  const other = USAGE.replace('"usage"', '"other"');
  expect(run(other.slice(0, 90), other.slice(90)).steps).toEqual(["", other, ""]);
});

test("an event that is longer than 4 KiB passes as soon as it is", () => {
  const long = `data: {"id":"${"x".repeat(5000)}","choices":[],"usage":{}}\n\n`;
  expect(run(long.slice(0, 4000), long.slice(4000, 4100), long.slice(4100)).steps).toEqual([
    "",
    long.slice(0, 4100),
    long.slice(4100),
    "",
  ]);
});

test("a stream that ends inside an event passes whole", () => {
  const part = USAGE.slice(0, -1);
  expect(run(CHUNK, part)).toEqual({ steps: [CHUNK, "", part], removed: 0 });
});

test("an event without choices that states no usage passes, before and after the one that does", () => {
  const filter = 'data: {"choices":[],"usage":null,"prompt_filter_results":[{"prompt_index":0}]}\n\n';
  expect(run(filter, CHUNK, USAGE, filter).steps).toEqual([filter, CHUNK, "", filter, ""]);
});

test("one event is removed, however many there are", () => {
  expect(run(USAGE, USAGE, DONE).steps).toEqual(["", USAGE, DONE, ""]);
});

test("comments pass at once between events, and with the event that is removed inside one", () => {
  expect(run(": keep-alive\n", ": kee", `p-alive\n\n${USAGE}`, DONE).steps).toEqual([
    ": keep-alive\n",
    ": kee",
    "p-alive\n\n",
    DONE,
    "",
  ]);
  expect(run(USAGE.replace("\n\n", "\n: keep-alive\n\n")).steps).toEqual([": keep-alive\n", ""]);
});

test("an event with other fields, several data lines or CRLF is recognized", () => {
  const spread = 'id: 7\r\nevent: message\r\ndata: {"choices":[],\r\ndata: "usage":{}}\r\n\r\n';
  expect(run(CHUNK, spread, DONE).steps).toEqual([CHUNK, "", DONE, ""]);
  expect(run('data:{"choices": [ ] , "usage": {"a":1}}\n\n').steps).toEqual(["", ""]);
});
