import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { boundedStream } from "../../../../../src/worker/mcp/bridge/bounded-stream.ts";
import { withLineLimit } from "../../../../../src/worker/mcp/bridge/line-limit.ts";
import { LineReader, type LongLine } from "../../../../../src/worker/mcp/bridge/line-reader.ts";
import { longResponseId } from "../../../../../src/worker/mcp/bridge/long-response.ts";
import { turn } from "../../../../support/turn.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("lines of an MCP server", () => {
  test("are the same however they are split, without torn characters", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.integer({ min: 1, max: 9 }), (texts, size) => {
        const lines = texts.map((text) => text.replaceAll("\n", ""));
        const all = bytes(lines.map((line) => `${line}\n`).join(""));
        const reader = new LineReader({ maxBytes: 10_000, maxSkippedBytes: 10_000 });
        const read: (string | LongLine)[] = [];
        for (let at = 0; at < all.length; at += size) read.push(...(reader.push(all.subarray(at, at + size)) ?? []));
        expect(read).toEqual(lines);
      }),
    );
  });

  test("that are too long are skipped but for their ends, in one piece or many, and those at the limit are not", () => {
    const limits = { maxBytes: 4, maxSkippedBytes: 10_000 };
    expect(new LineReader(limits).push(bytes("12345\n1\n"))).toEqual([{ head: "12345", tail: "12345" }, "1"]);
    const reader = new LineReader(limits);
    expect(reader.push(bytes("1234"))).toEqual([]);
    expect(reader.push(bytes("\n1234\n12"))).toEqual(["1234", "1234"]);
    expect(reader.push(bytes("345"))).toEqual([]);
    expect(reader.push(bytes("67"))).toEqual([]);
    expect(reader.push(bytes("8\nnext\n"))).toEqual([{ head: "12345", tail: "12345678" }, "next"]);
    expect(reader.push(bytes("1".repeat(9000)))).toEqual([]);
    const [long] = reader.push(bytes("2\n")) ?? [];
    expect(long).toEqual({ head: "1".repeat(4096), tail: `${"1".repeat(511)}2` });
  });

  test("that have no end are given up", () => {
    const reader = new LineReader({ maxBytes: 4, maxSkippedBytes: 8 });
    expect(reader.push(bytes("12345678"))).toEqual([]);
    expect(reader.push(bytes("9"))).toBeUndefined();
  });

  test.each([
    ['{"jsonrpc":"2.0","id":7,"result":{"x":"', '"}}', 7],
    ['{"id": "a\\"b", "jsonrpc": "2.0", "error": {"x":"', '"}}', 'a"b'],
    ['{"result":{"id":1,"x":"', '"},"jsonrpc":"2.0","id":7}', 7],
    ['{"jsonrpc":"2.0","result":{"x":"', '"},"id":"s","jsonrpc":"2.0"}', "s"],
    ['{"result":{"x":"', '","id":1},"jsonrpc":"2.0"}', undefined],
    ['{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"x":"', '"}}', undefined],
    ['{"jsonrpc":"2.0","method":"notifications/x","params":{"x":"', '","id":1}}', undefined],
    ['{"jsonrpc":"2.0","id":9007199254740993,"result":{"x":"', '"}}', undefined],
    ["no json ", ',"id":1}', undefined],
  ])("that are too long and begin with %s and end with %s answer the call %p", (head, tail, id) => {
    expect(longResponseId({ head, tail })).toEqual(id);
  });

  test("that end are passed on, and an unfinished one breaks the stream", async () => {
    const of = (...pieces: string[]): ReadableStream<Uint8Array> =>
      new ReadableStream({
        start(controller) {
          for (const piece of pieces) controller.enqueue(bytes(piece));
          controller.close();
        },
      });
    expect(await new Response(withLineLimit(of("123\n12", "34\r123"), 4)).text()).toBe("123\n1234\r123");
    await expect(new Response(withLineLimit(of("123\n12", "345"), 4)).text()).rejects.toThrow("has no end");
  });
});

describe("a stream whose reader is slow", () => {
  function source(): {
    readonly stream: ReadableStream<Uint8Array>;
    readonly controller: ReadableStreamDefaultController<Uint8Array>;
    readonly isCanceled: () => boolean;
  } {
    let isCanceled = false;
    const got = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const stream = new ReadableStream<Uint8Array>({
      start: (each) => {
        controller = each;
        got.resolve(each);
      },
      cancel: () => {
        isCanceled = true;
      },
    });
    return { stream, controller: controller ?? expect.unreachable(), isCanceled: () => isCanceled };
  }

  test("is cut and not ended in order if too much waits, and its source is cancelled", async () => {
    const { stream, controller, isCanceled } = source();
    let ended = 0;
    const bounded = boundedStream(stream, 8, () => (ended += 1));
    controller.enqueue(bytes("1234"));
    controller.enqueue(bytes("12345"));
    await turn();
    expect([ended, isCanceled()]).toEqual([1, true]);
    await expect(new Response(bounded).text()).rejects.toThrow("too slow");
  });

  test("gets everything if it is not too slow, and its end is reported once", async () => {
    const { stream, controller } = source();
    let ended = 0;
    const bounded = boundedStream(stream, 8, () => (ended += 1));
    controller.enqueue(bytes("1234"));
    controller.close();
    expect(await new Response(bounded).text()).toBe("1234");
    expect(ended).toBe(1);
  });

  test("is cancelled at its source when its reader leaves", async () => {
    const { stream, isCanceled } = source();
    let ended = 0;
    await boundedStream(stream, 8, () => (ended += 1)).cancel();
    expect([ended, isCanceled()]).toEqual([1, true]);
  });
});
