import { expect, test } from "bun:test";
import fc from "fast-check";
import { UsageEventCut } from "../../src/reply/usage-event-cut.ts";
import { times } from "../support/times.ts";

// The one event that a stream has more than its client asked for is removed, however the stream is cut into pieces.

const text = fc.string({ unit: "grapheme", maxLength: 30 });
const json = fc.oneof(
  text.map((content) => ({ id: "c", choices: [{ index: 0, delta: { content } }] })),
  text.map((content) => ({ choices: [{ text: content, usage: { prompt_tokens: 1 } }], usage: null })),
  text.map((content) => ({ content: `"choices":[],"usage":{} ${content}` })),
  fc.constant({ choices: [], usage: null, prompt_filter_results: [{}] }),
  fc.constant({ choices: [] }),
  fc.constant({ usage: { prompt_tokens: 1 } }),
  fc.constant({ id: "x".repeat(5000), choices: [], usage: { prompt_tokens: 1 } }),
);
const usage = fc.record({ prompt_tokens: fc.nat(), completion_tokens: fc.nat() });
const extra = fc.oneof(
  usage.map((each) => JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [], usage: each })),
  usage.map((each) => `{ "usage" : ${JSON.stringify(each)} , "choices" : [ ] }`),
);
/** An event, or something between two events, without its line ends. */
const lines = fc.oneof(
  json.map((value) => [`data: ${JSON.stringify(value)}`]),
  json.map((value) => ["event: message", "id: 3", `data:${JSON.stringify(value)}`]),
  json.map((value) =>
    JSON.stringify(value, undefined, 1)
      .split("\n")
      .map((line) => `data: ${line}`),
  ),
  text.map((each) => [`data: ${each.replaceAll(/[\r\n]/g, "")}`]),
  fc.constant(["data: [DONE]"]),
  fc.constant([": keep-alive"]),
  fc.constant(["retry: 100"]),
  fc.constant([]),
);

interface Stream {
  readonly before: readonly (readonly string[])[];
  readonly extra: readonly string[];
  readonly after: readonly (readonly string[])[];
  readonly end: string;
  /** Where the stream breaks off, from its start. */
  readonly upTo: number;
  readonly cuts: readonly number[];
}

const stream: fc.Arbitrary<Stream> = fc.record({
  before: fc.array(lines, { maxLength: 6 }),
  extra: fc.oneof(
    extra.map((each) => [`data: ${each}`]),
    extra.map((each) => ["id: 1", `data: ${each}`]),
  ),
  after: fc.array(lines, { maxLength: 3 }),
  end: fc.constantFrom("\n", "\r\n"),
  upTo: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
  cuts: fc.oneof(
    fc.array(fc.nat({ max: 3000 }), { maxLength: 20 }),
    fc.constant(Array.from({ length: 3000 }, (_, at) => at)),
  ),
});

function write(events: readonly (readonly string[])[], end: string): Buffer {
  return Buffer.from(events.map((event) => [...event, ""].join(end) + end).join(""));
}

function cutStream(bytes: Uint8Array, cuts: readonly number[]): { readonly passed: Buffer; readonly removed: number } {
  const passed: Uint8Array[] = [];
  const cut = new UsageEventCut((piece) => void passed.push(Uint8Array.from(piece)));
  const at = [0, ...cuts.filter((each) => each < bytes.length).sort((a, b) => a - b), bytes.length];
  let removed = 0;
  for (let index = 1; index < at.length; index += 1) removed += cut.push(bytes.subarray(at[index - 1], at[index]));
  cut.end();
  return { passed: Buffer.concat(passed), removed };
}

test("a stream loses exactly the event that it has more, wherever it is cut and wherever it breaks off", () => {
  fc.assert(
    fc.property(stream, ({ before, extra: event, after, end, upTo, cuts }) => {
      const [head, middle, tail] = [write(before, end), write([event], end), write(after, end)];
      const whole = Buffer.concat([head, middle, tail]);
      const bytes = whole.subarray(0, Math.round(upTo * whole.length));
      const { passed, removed } = cutStream(bytes, cuts);
      const isWhole = bytes.length >= head.length + middle.length;
      const expected = isWhole ? Buffer.concat([head, bytes.subarray(head.length + middle.length)]) : bytes;
      expect(passed.toString("latin1")).toBe(expected.toString("latin1"));
      expect(removed).toBe(isWhole ? middle.length : 0);
    }),
    { numRuns: times(500) },
  );
});

test("a stream without such an event passes byte for byte, and nothing of it is held for longer than its event", () => {
  fc.assert(
    fc.property(stream, ({ before, after, end, cuts }) => {
      const bytes = write([...before, ...after], end);
      let [given, passed, removed, mostHeld] = [0, 0, 0, 0];
      const cut = new UsageEventCut((piece) => {
        passed += piece.length;
      });
      const at = [0, ...cuts.filter((each) => each < bytes.length).sort((a, b) => a - b), bytes.length];
      for (let index = 1; index < at.length; index += 1) {
        const piece = bytes.subarray(at[index - 1], at[index]);
        removed += cut.push(piece);
        given += piece.length;
        mostHeld = Math.max(mostHeld, given - passed);
      }
      expect([removed, passed]).toEqual([0, bytes.length]);
      expect(mostHeld).toBeLessThanOrEqual(4096);
      expect(cutStream(bytes, cuts).passed.equals(bytes)).toBe(true);
    }),
    { numRuns: times(100) },
  );
});
