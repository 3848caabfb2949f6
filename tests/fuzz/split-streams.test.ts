import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readAudioUsage } from "../../src/plugins/asr/audio-usage.ts";
import { readUsage } from "../../src/plugins/llm/usage.ts";
import { AnswerEnds } from "../../src/reply/answer-ends.ts";
import { LineReader, type LongLine } from "../../src/worker/mcp/bridge/line-reader.ts";
import { hostileText } from "../support/hostile.ts";
import { jsonDocument } from "../support/json-document.ts";
import { times } from "../support/times.ts";

// Streams that are read while they pass give the same result however they are split.

/** Places in the first and the last stretch of a stream, where what is read stands, and anywhere between. */
function cutsOf(length: number): fc.Arbitrary<readonly number[]> {
  const place = fc.oneof(
    fc.nat({ max: Math.min(length, 5000) }),
    fc.nat({ max: length }),
    fc.nat({ max: Math.min(length, 600) }).map((back) => length - back),
  );
  return fc.oneof(
    fc.array(place, { maxLength: 12 }),
    // Byte by byte over a stretch.
    fc
      .tuple(place, fc.nat({ max: 400 }))
      .map(([from, count]) => Array.from({ length: count }, (_, at) => Math.min(from + at, length))),
  );
}

function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

function ends(parts: readonly Uint8Array[]): AnswerEnds {
  const kept = new AnswerEnds();
  for (const part of parts) kept.push(part);
  return kept;
}

const count = fc.oneof(fc.nat({ max: 99_999 }), fc.constantFrom(-1, 1.5, 2 ** 40));
const usage = fc.oneof(
  fc.record({ prompt_tokens: count, completion_tokens: count }),
  fc.record(
    { input_tokens: count, output_tokens: count, input_tokens_details: fc.record({ cached_tokens: count }) },
    { requiredKeys: [] },
  ),
  fc.record({ type: fc.constant("duration"), seconds: count }),
);
const event = fc.oneof(
  usage.map((each) => JSON.stringify({ type: "message_start", message: { usage: each } })),
  usage.map((each) => JSON.stringify({ choices: [], usage: each })),
  fc
    .tuple(count, hostileText)
    .map(([duration, text]) => JSON.stringify({ task: "transcribe", duration, text: text.toWellFormed() })),
  fc.constantFrom('{"usage":null}', "[DONE]", '{"content":"\\"usage\\":{\\"prompt_tokens\\":7}"}'),
  jsonDocument,
);
/** Long answers, of which only the ends are kept, too. */
const filler = fc.oneof(
  fc.constant(""),
  fc.integer({ min: 1000, max: 30_000 }).map((size) => `{"delta":"${"ä".repeat(size)}"}`),
);
const stream = fc
  .tuple(
    fc.array(event, { maxLength: 4 }),
    filler,
    fc.array(event, { maxLength: 4 }),
    fc.constantFrom("\n\n", "\r\n\r\n", "\n"),
  )
  .map(([first, middle, last, end]) =>
    Buffer.from(
      [...first, middle, ...last]
        .map((data) => `data: ${data}${end}`)
        .join("")
        .toWellFormed(),
    ),
  );
const split = stream.chain((bytes) => cutsOf(bytes.length).map((cuts) => ({ bytes, cuts })));

describe("of an answer that arrives in pieces", () => {
  test.each([
    ["tokens", readUsage],
    ["audio", readAudioUsage],
  ])("the usage in %s is that of the whole answer", (_what, read) => {
    let stated = 0;
    fc.assert(
      fc.property(split, ({ bytes, cuts }) => {
        const whole = read(ends([bytes]));
        if (whole) stated += 1;
        expect(read(ends(pieces(bytes, cuts)))).toEqual(whole as ReturnType<typeof read>);
      }),
      { numRuns: times(500) },
    );
    expect(stated).toBeGreaterThan(100);
  });

  test("what is kept is bounded, however it is split", () => {
    fc.assert(
      fc.property(split, ({ bytes, cuts }) => {
        const parts = pieces(bytes, cuts);
        const kept = ends(parts);
        const text = bytes.toString();
        // Cut characters are marks, which may be longer than the bytes they stand for.
        expect(Buffer.byteLength(kept.first)).toBeLessThanOrEqual(4 * 1024 + 8);
        expect(Buffer.byteLength(kept.last)).toBeLessThanOrEqual(16 * 1024 + 8);
        expect(text.startsWith(kept.first.replace(/\ufffd+$/, ""))).toBe(true);
        expect(text.endsWith(kept.last.replace(/^\ufffd+/, ""))).toBe(true);
      }),
      { numRuns: times(500) },
    );
  });
});

test("the lines of an MCP server are the same however they are split, and too long ones are always detected", () => {
  const text = fc.array(
    fc.oneof(
      hostileText.map((each) => each.slice(0, 60).toWellFormed()),
      fc.constantFrom("\n", "\n\n", "é\n"),
    ),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(
      text,
      fc.array(fc.nat({ max: 300 }), { maxLength: 10 }),
      fc.integer({ min: 1, max: 80 }),
      (parts, cuts, maxBytes) => {
        const bytes = Buffer.from(parts.join(""));
        const read = (
          chunks: readonly Uint8Array[],
          maxSkippedBytes = maxBytes,
        ): readonly (string | LongLine)[] | undefined => {
          const reader = new LineReader({ maxBytes, maxSkippedBytes });
          const lines: (string | LongLine)[] = [];
          for (const chunk of chunks) {
            const more = reader.push(chunk);
            if (!more) return undefined;
            lines.push(...more);
          }
          return lines;
        };
        const cutBytes = pieces(
          bytes,
          cuts.filter((cut) => cut <= bytes.length),
        );
        // The head of a long line is kept whole only if it is shorter than the limit, as outside of tests.
        const withoutHeads = (chunks: readonly Uint8Array[]): unknown =>
          read(chunks, bytes.length)?.map((line) => (typeof line === "string" ? line : line.tail));
        expect(withoutHeads(cutBytes)).toEqual(withoutHeads([bytes]));
        const lines = bytes.toString().split("\n");
        const isTooLong = lines.some((line) => Buffer.byteLength(line) > maxBytes);
        expect(read(cutBytes)).toEqual(isTooLong ? undefined : lines.slice(0, -1));
      },
    ),
    { numRuns: times(1500) },
  );
});
