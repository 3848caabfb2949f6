import { expect, test } from "bun:test";
import fc from "fast-check";
import { ReceiveCredit, SendCredit } from "../../src/tunnel/credit.ts";
import { type ExchangeEnd, type ExchangeSink, type Lane, ServerExchange } from "../../src/tunnel/exchange.ts";
import type { ResetCode, ResponseHead } from "../../src/tunnel/frame.ts";
import { FakeClock } from "../support/fake-clock.ts";

const WINDOW = 1000;
const HEAD: ResponseHead = { status: 200, headers: [] };

/** A sink that writes down what it heard and refuses what the contract forbids. */
class Witness implements ExchangeSink {
  readonly heard: string[] = [];
  readonly ends: ExchangeEnd[] = [];
  settled = 0;
  bytes = 0;
  onEvent: () => void = () => {};

  onHead(): void {
    this.#note("head");
  }

  onData(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.#note("data");
  }

  onEnd(end: ExchangeEnd): void {
    this.ends.push(end);
    this.#note("end");
  }

  onSettled(): void {
    this.settled += 1;
    this.#note("settled");
  }

  #note(event: string): void {
    this.heard.push(event);
    this.onEvent();
  }
}

class RecordingLane implements Lane {
  readonly sent: {
    readonly what: string;
    readonly bytes?: number;
    readonly end?: boolean;
    readonly code?: ResetCode;
  }[] = [];
  room = true;

  hasRoom(): boolean {
    return this.room;
  }

  request(_head: unknown, body: Uint8Array, end: boolean): void {
    this.sent.push({ what: "request", bytes: body.length, end });
  }

  data(body: Uint8Array, end: boolean): void {
    this.sent.push({ what: "data", bytes: body.length, end });
  }

  credit(bytes: number): void {
    this.sent.push({ what: "credit", bytes });
  }

  reset(code: ResetCode): void {
    this.sent.push({ what: "reset", code });
  }
}

function open(body: Uint8Array | ReadableStream<Uint8Array> = new Uint8Array(10)) {
  const clock = new FakeClock();
  const lane = new RecordingLane();
  const sink = new Witness();
  let forgotten = 0;
  const exchange = new ServerExchange({ head: { method: "POST", path: "/x", headers: [] }, body }, sink, {
    lane,
    clock,
    sendWindow: WINDOW,
    receive: new ReceiveCredit(WINDOW),
    confirmTimeoutMs: 5000,
    onSettled: () => {
      forgotten += 1;
    },
  });
  exchange.resume();
  return { clock, lane, sink, exchange, forgotten: () => forgotten };
}

test("whatever comes in whatever order: one end, one settled, the end before it, and no data after it", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("head" as const), bytes: fc.integer({ min: 0, max: 600 }), end: fc.boolean() }),
    fc.record({ kind: fc.constant("data" as const), bytes: fc.integer({ min: 0, max: 600 }), end: fc.boolean() }),
    fc.record({
      kind: fc.constantFrom(
        "credit" as const,
        "reset" as const,
        "lost" as const,
        "cancel" as const,
        "timeout" as const,
        "consume" as const,
        "wait" as const,
      ),
    }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const { clock, sink, exchange, forgotten } = open();
      for (const each of steps) {
        switch (each.kind) {
          case "head":
            exchange.handleHead(HEAD, new Uint8Array(each.bytes), each.end);
            break;
          case "data":
            exchange.handleData(new Uint8Array(each.bytes), each.end);
            break;
          case "credit":
            exchange.handleCredit(100);
            break;
          case "reset":
            exchange.handleReset("internal", "");
            break;
          case "lost":
            exchange.handleLost("gone");
            break;
          case "consume":
            exchange.consumed(100);
            break;
          case "wait":
            clock.advance(5000);
            break;
          default:
            exchange.cancel(each.kind === "cancel" ? "canceled" : "timeout");
        }
      }
      // However it went, the session's end settles everything.
      exchange.handleLost("the session closed");
      clock.advance(60_000);
      expect(sink.ends.length).toBe(1);
      expect(sink.settled).toBe(1);
      expect(forgotten()).toBe(1);
      expect(sink.heard.indexOf("settled")).toBe(sink.heard.length - 1);
      expect(sink.heard.indexOf("end")).toBe(sink.heard.length - 2);
      expect(sink.heard.filter((event) => event === "head").length).toBeLessThanOrEqual(1);
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 2000 },
  );
});

test("a cancel ends the job at once and settles when the worker confirms, or after five seconds", () => {
  const confirmed = open();
  confirmed.exchange.cancel("canceled");
  expect(confirmed.sink.heard).toEqual(["end"]);
  expect(confirmed.lane.sent.at(-1)).toEqual({ what: "reset", code: "canceled" });
  confirmed.exchange.handleData(new Uint8Array(5), false);
  expect(confirmed.sink.settled).toBe(0);
  confirmed.exchange.handleData(new Uint8Array(0), true);
  expect(confirmed.sink.settled).toBe(1);

  const silent = open();
  silent.exchange.cancel("canceled");
  silent.clock.advance(4999);
  expect(silent.sink.settled).toBe(0);
  silent.clock.advance(1);
  expect(silent.sink.settled).toBe(1);
});

test.each([
  ["a second head", [true, true]],
  ["data before the head", [false]],
])("%s is a protocol error on this exchange", (_name, heads) => {
  const { exchange, lane, sink } = open();
  for (const isHead of heads) {
    if (isHead) exchange.handleHead(HEAD, new Uint8Array(0), false);
    else exchange.handleData(new Uint8Array(1), false);
  }
  expect(lane.sent.at(-1)).toEqual({ what: "reset", code: "protocol_error" });
  expect(sink.ends).toEqual([{ kind: "broken", code: "protocol_error", message: expect.any(String) }]);
});

test("one byte more than was granted is flow_control", () => {
  const { exchange, lane, sink } = open();
  exchange.handleHead(HEAD, new Uint8Array(WINDOW), false);
  expect(sink.ends).toEqual([]);
  exchange.handleData(new Uint8Array(1), false);
  expect(lane.sent.at(-1)).toEqual({ what: "reset", code: "flow_control" });
  expect(sink.bytes).toBe(WINDOW);
});

test("credit goes back in steps of at least a quarter of the window", () => {
  const { exchange, lane } = open();
  exchange.handleHead(HEAD, new Uint8Array(600), false);
  exchange.consumed(249);
  expect(lane.sent.some(({ what }) => what === "credit")).toBe(false);
  exchange.consumed(1);
  expect(lane.sent.at(-1)).toEqual({ what: "credit", bytes: 250 });
});

test("a sink that gives up in the middle of what it hears gets nothing more", () => {
  const { exchange, sink } = open();
  sink.onEvent = () => exchange.cancel("canceled");
  exchange.handleHead(HEAD, new Uint8Array(5), true);
  expect(sink.heard).toEqual(["head", "end", "settled"]);
});

test("a large request goes out as far as credit goes, and on with every grant, its end with its last byte", () => {
  const { exchange, lane } = open(new Uint8Array(2500));
  expect(lane.sent).toEqual([{ what: "request", bytes: WINDOW, end: false }]);
  exchange.handleCredit(600);
  lane.room = false;
  exchange.handleCredit(900);
  expect(lane.sent.length).toBe(2);
  lane.room = true;
  exchange.resume();
  expect(lane.sent.slice(1)).toEqual([
    { what: "data", bytes: 600, end: false },
    { what: "data", bytes: 900, end: true },
  ]);
});

test("a streamed request sends its head at once, its bytes as they come, and cancels its source when it ends early", async () => {
  const cancelled: unknown[] = [];
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
  const source = new ReadableStream<Uint8Array>({
    start: (controller) => {
      feed = controller;
    },
    cancel: (reason) => {
      cancelled.push(reason);
    },
  });
  const { exchange, lane, sink } = open(source);
  expect(lane.sent).toEqual([{ what: "request", bytes: 0, end: false }]);
  feed?.enqueue(new Uint8Array(7));
  await Bun.sleep(0);
  expect(lane.sent[1]).toEqual({ what: "data", bytes: 7, end: false });
  // The backend answers without waiting for the rest.
  exchange.handleHead({ status: 413, headers: [] }, new Uint8Array(0), true);
  expect(sink.ends).toEqual([{ kind: "complete" }]);
  expect(lane.sent.at(-1)).toEqual({ what: "reset", code: "canceled" });
  await Bun.sleep(0);
  expect(cancelled.length).toBe(1);
});

test("the worker's silence is not held against it while it has no credit, or waits for our bytes", () => {
  const { exchange } = open();
  expect(exchange.isWaitingForUs).toBe(false);
  exchange.handleHead(HEAD, new Uint8Array(WINDOW), false);
  expect(exchange.isWaitingForUs).toBe(true);
  exchange.consumed(WINDOW);
  expect(exchange.isWaitingForUs).toBe(false);
  expect(open(new ReadableStream()).exchange.isWaitingForUs).toBe(true);
});

test("send credit never loses count, however much a peer grants", () => {
  const credit = new SendCredit(10);
  for (let count = 0; count < 10; count += 1) credit.grant(Number.MAX_SAFE_INTEGER);
  expect(credit.left).toBe(Number.MAX_SAFE_INTEGER);
});
