import { beforeEach, describe, expect, test } from "bun:test";
import { type Outcome, Passage, type PassageOptions } from "../../../../src/plugins/transfer/passage.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const STALL_MS = 1000;

let clock: FakeClock;
let outcomes: Outcome[];
let writer: AbortController;
let reader: AbortController;
let isReaderBusy: boolean;
let limited: number;

beforeEach(() => {
  clock = new FakeClock();
  outcomes = [];
  writer = new AbortController();
  reader = new AbortController();
  isReaderBusy = false;
  limited = 0;
});

function start(chunks: readonly string[], more: Partial<PassageOptions> = {}): Passage {
  const passage = new Passage({
    clock,
    source: new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        controller.close();
      },
    }),
    length: undefined,
    isNative: true,
    writerSignal: writer.signal,
    readerSignal: reader.signal,
    isReaderBusy: () => isReaderBusy,
    stallMs: STALL_MS,
    limitReader: () => {
      limited += 1;
    },
    onBytes: () => {},
    onEnded: (outcome) => outcomes.push(outcome),
    ...more,
  });
  passage.start();
  return passage;
}

const text = (passage: Passage): Promise<string> => new Response(passage.stream).text();

describe("when a passage has been read to its end,", () => {
  test("it is over only when the reader's connection has sent everything", async () => {
    isReaderBusy = true;
    const passage = start(["ab", "c"]);
    expect(await text(passage)).toBe("abc");
    clock.advance(900);
    expect(outcomes).toEqual([]);
    isReaderBusy = false;
    clock.advance(100);
    expect(outcomes).toEqual(["completed"]);
    expect(passage.bytes).toBe(3);
    expect(clock.pending).toBe(0);
  });

  test("the loss of the reader is reported to the writer, and the loss of the writer changes nothing", async () => {
    isReaderBusy = true;
    const lost = start(["abc"]);
    await text(lost);
    reader.abort();
    expect(outcomes).toEqual(["reader_gone"]);
    reader = new AbortController();
    const left = start(["abc"]);
    await text(left);
    writer.abort();
    isReaderBusy = false;
    clock.advance(100);
    expect(outcomes).toEqual(["reader_gone", "completed"]);
  });

  test("a reader whose connection is done counts as complete only after news of its loss would have arrived", async () => {
    await text(start(["abc"]));
    clock.advance(5);
    expect(outcomes).toEqual([]);
    reader.abort();
    clock.advance(100);
    expect(outcomes).toEqual(["reader_gone"]);
    expect(clock.pending).toBe(0);
  });

  test("a reader that reads no more is waited for only so long", async () => {
    isReaderBusy = true;
    await text(start(["abc"]));
    clock.advance(2 * STALL_MS);
    expect(outcomes).toEqual(["stalled"]);
    expect(clock.pending).toBe(0);
  });
});

test("a large body of known length is handed to the runtime, and counted when it is over", async () => {
  isReaderBusy = true;
  const length = 16 * 1024 * 1024;
  const source = new ReadableStream<Uint8Array>();
  const counted: number[] = [];
  const passage = start([], { source, length, onBytes: (bytes) => counted.push(bytes) });
  expect(passage.stream).toBe(source);
  expect(limited).toBe(1);
  clock.advance(100 * STALL_MS);
  expect(passage.bytes).toBeUndefined();
  expect(outcomes).toEqual([]);
  isReaderBusy = false;
  clock.advance(100);
  expect({ outcomes, bytes: passage.bytes, counted }).toEqual({
    outcomes: ["completed"],
    bytes: length,
    counted: [length],
  });
  const lost = start([], { source: new ReadableStream(), length });
  reader.abort();
  expect(outcomes).toEqual(["completed", "reader_gone"]);
  expect(lost.bytes).toBeUndefined();
  expect(clock.pending).toBe(0);
});

test("a body of another length than declared fails the stream", async () => {
  for (const length of [2, 4]) {
    await expect(text(start(["abc"], { length }))).rejects.toThrow("The transfer broke");
  }
  expect(outcomes).toEqual(["wrong_length", "wrong_length"]);
});

test("a body of the declared length completes the stream", async () => {
  expect(await text(start(["abc"], { length: 3 }))).toBe("abc");
  clock.advance(100);
  expect(outcomes).toEqual(["completed"]);
});

test.each([
  ["the writer leaves", () => writer.abort(), "writer_gone"],
  ["the reader leaves", () => reader.abort(), "reader_gone"],
  ["nothing moves", () => clock.advance(2 * STALL_MS), "stalled"],
] as const)("the stream fails when %s, and it ends once", async (_what, act, outcome) => {
  const passage = start([], { source: new ReadableStream() });
  const whole = text(passage);
  act();
  await expect(whole).rejects.toThrow();
  writer.abort();
  passage.close();
  expect(outcomes).toEqual([outcome]);
  expect(clock.pending).toBe(0);
});

test("a passage whose sides have both left ends at once", () => {
  writer.abort();
  reader.abort();
  start(["abc"]);
  expect(outcomes).toHaveLength(1);
});
