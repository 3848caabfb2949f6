import { expect, test } from "bun:test";
import fc from "fast-check";
import { SendCredit } from "../../../src/wire/credit.ts";
import { type Body, BodyPump } from "../../../src/wire/pump.ts";
import { times } from "../../support/times.ts";

interface Sent {
  readonly text: string;
  readonly end: boolean;
}

function start(body: Body, window: number) {
  const sent: Sent[] = [];
  const failures: unknown[] = [];
  const state = { room: true };
  const credit = new SendCredit(window);
  const pump = new BodyPump(body, credit, {
    hasRoom: () => state.room,
    send: (bytes, end) => sent.push({ text: Buffer.from(bytes).toString("latin1"), end }),
    fail: (error) => failures.push(error),
  });
  pump.resume();
  return { pump, credit, sent, failures, state };
}

/** Lets reads that are ready settle: several turns of the microtask queue, no timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** A source that makes a piece only when it is asked, and counts. */
function countedSource(pieces: readonly string[]) {
  const source = { pulls: 0, cancelled: [] as unknown[] };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[source.pulls];
        source.pulls += 1;
        if (piece === undefined) controller.close();
        else controller.enqueue(Buffer.from(piece));
      },
      cancel(reason) {
        source.cancelled.push(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return { source, stream };
}

test("a body that fits is sent in one piece that is also its end", () => {
  const { sent, pump } = start(Buffer.from("hello"), 100);
  expect(sent).toEqual([{ text: "hello", end: true }]);
  expect(pump.hasEnded).toBe(true);
});

test("an empty body is one empty end, which needs no credit and no room", () => {
  const none = start(new Uint8Array(0), 0);
  none.state.room = false;
  expect(none.sent).toEqual([{ text: "", end: true }]);
});

test("a body of exactly the credit ends with its last byte, and sends no empty piece after it", () => {
  const { sent } = start(Buffer.from("12345"), 5);
  expect(sent).toEqual([{ text: "12345", end: true }]);
});

test("without credit nothing is sent until a grant, and then no more than the grant", () => {
  const { pump, credit, sent } = start(Buffer.from("123456789"), 4);
  expect(sent).toEqual([{ text: "1234", end: false }]);
  pump.resume();
  expect(sent.length).toBe(1);
  credit.grant(3);
  pump.resume();
  credit.grant(50);
  pump.resume();
  expect(sent.slice(1)).toEqual([
    { text: "567", end: false },
    { text: "89", end: true },
  ]);
});

test("a large body is sent in slices, so that exchanges share one socket", () => {
  const { sent } = start(new Uint8Array(300 * 1024), 1024 * 1024);
  expect(sent.map(({ text, end }) => [text.length, end])).toEqual([
    [128 * 1024, false],
    [128 * 1024, false],
    [44 * 1024, true],
  ]);
});

test("a socket that congests stops the pump, which continues at the same byte after the drain", () => {
  const body = Buffer.from(Uint8Array.from({ length: 300 * 1024 }, (_, at) => at % 251));
  const sent: Uint8Array[] = [];
  let room = true;
  const pump = new BodyPump(body, new SendCredit(1024 * 1024), {
    hasRoom: () => room,
    send: (bytes) => {
      sent.push(bytes);
      room = false;
    },
    fail: () => {},
  });
  pump.resume();
  pump.resume();
  expect(sent.length).toBe(1);
  while (!pump.hasEnded) {
    room = true;
    pump.resume();
  }
  expect(Buffer.concat(sent).equals(body)).toBe(true);
});

test("a source is read only one piece ahead without credit", async () => {
  const { source, stream } = countedSource(["aaaa", "bbbb", "cccc"]);
  const { pump, credit, sent } = start(stream, 2);
  await settle();
  expect(sent).toEqual([{ text: "aa", end: false }]);
  expect(source.pulls).toBe(1);
  credit.grant(2);
  pump.resume();
  await settle();
  expect(sent.length).toBe(2);
  expect(source.pulls).toBe(2);
  credit.grant(100);
  pump.resume();
  await settle();
  expect(sent.map(({ text }) => text).join("")).toBe("aaaabbbbcccc");
  expect(sent.at(-1)?.end).toBe(true);
});

test("a source is not read further while the socket has no room", async () => {
  const { source, stream } = countedSource(["a", "b", "c"]);
  const pumped = start(stream, 100);
  pumped.state.room = false;
  await settle();
  expect(pumped.sent).toEqual([]);
  expect(source.pulls).toBe(1);
  pumped.state.room = true;
  pumped.pump.resume();
  await settle();
  expect(pumped.sent.map(({ text }) => text).join("")).toBe("abc");
});

test("a pump that is resumed again and again while it waits for its source reads one piece at a time and loses none", async () => {
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      feed = controller;
    },
  });
  const { pump, sent, credit } = start(stream, 1);
  for (let count = 0; count < 3; count += 1) pump.resume();
  for (const piece of ["ab", "cd", "ef"]) feed?.enqueue(Buffer.from(piece));
  feed?.close();
  await settle();
  credit.grant(100);
  pump.resume();
  await settle();
  expect(sent.map(({ text }) => text).join("")).toBe("abcdef");
  expect(sent.at(-1)?.end).toBe(true);
});

test("any pieces, even empty ones, arrive whole under any grants, with one end on the last", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "binary-ascii", maxLength: 20 }), { maxLength: 12 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 1, max: 15 }),
      async (pieces, window, grant) => {
        const { pump, credit, sent } = start(countedSource(pieces).stream, window);
        let allowed = window;
        for (let turn = 0; turn < 400 && !pump.hasEnded; turn += 1) {
          await settle();
          expect(sent.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(allowed);
          credit.grant(grant);
          allowed += grant;
          pump.resume();
        }
        expect(sent.map(({ text }) => text).join("")).toBe(pieces.join(""));
        expect(sent.filter(({ end }) => end).length).toBe(1);
        expect(sent.at(-1)?.end).toBe(true);
      },
    ),
    { numRuns: times(200) },
  );
});

test("a failed source is reported once, and no end is sent", async () => {
  const broken = new Error("the upload broke off");
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls += 1;
      if (pulls === 1) controller.enqueue(Buffer.from("half"));
      else controller.error(broken);
    },
  });
  const { sent, failures, pump } = start(stream, 100);
  await settle();
  pump.resume();
  expect(failures).toEqual([broken]);
  expect(sent.some(({ end }) => end)).toBe(false);
  expect(pump.hasEnded).toBe(true);
});

test("a stopped pump cancels its source with the reason and sends nothing more, whatever the source does", async () => {
  const { source, stream } = countedSource(["a", "b"]);
  const { pump, sent, failures } = start(stream, 100);
  pump.stop("lost");
  pump.stop("again");
  await settle();
  pump.resume();
  await settle();
  expect(source.cancelled).toEqual(["lost"]);
  expect(sent).toEqual([]);
  expect(failures).toEqual([]);
});

test("a pump that is stopped after its end leaves its source alone", async () => {
  const { source, stream } = countedSource(["a"]);
  const { pump } = start(stream, 100);
  await settle();
  expect(pump.hasEnded).toBe(true);
  pump.stop("lost");
  await settle();
  expect(source.cancelled).toEqual([]);
});

test("a source that fails while it is being cancelled causes no error", async () => {
  const stream = new ReadableStream<Uint8Array>({
    cancel: () => Promise.reject(new Error("cannot cancel")),
  });
  const { pump, failures } = start(stream, 100);
  pump.stop("lost");
  await settle();
  expect(failures).toEqual([]);
});

test("a body that is finished ends at once if nothing of it waits, and its source is cancelled", async () => {
  const source = { cancelled: [] as unknown[] };
  const { pump, sent, failures } = start(
    new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from("hello")),
      cancel: (reason) => void source.cancelled.push(reason),
    }),
    100,
  );
  await settle();
  pump.finish("enough");
  expect(sent).toEqual([
    { text: "hello", end: false },
    { text: "", end: true },
  ]);
  await settle();
  pump.finish("again");
  expect(sent).toHaveLength(2);
  expect(source.cancelled).toEqual(["enough"]);
  expect(failures).toEqual([]);
});

test("a body that is finished without credit ends with the piece that waits for it", async () => {
  const { source, stream } = countedSource(["hello", "never read"]);
  const { pump, credit, sent } = start(stream, 3);
  await settle();
  pump.finish("enough");
  expect(sent).toEqual([{ text: "hel", end: false }]);
  credit.grant(100);
  pump.resume();
  await settle();
  expect(sent).toEqual([
    { text: "hel", end: false },
    { text: "lo", end: true },
  ]);
  expect(source.pulls).toBe(1);
});
