import { expect, test } from "bun:test";
import fc from "fast-check";
import type { ExchangeEnd, ExchangeSink, Lane } from "../../../src/tunnel/exchange.ts";
import { ServerExchange } from "../../../src/tunnel/server-exchange.ts";
import { ReceiveCredit } from "../../../src/wire/credit.ts";
import type { HeaderPairs, RequestHead, ResponseHead } from "../../../src/wire/heads.ts";
import type { Body } from "../../../src/wire/pump.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { times } from "../../support/times.ts";

const WINDOW = 1000;
const CONFIRM_MS = 5000;
const HEAD: ResponseHead = { status: 200, headers: [] };
const NOTHING = new Uint8Array(0);

interface OpenOptions {
  readonly body?: Body;
  readonly room?: boolean;
  readonly on?: (event: string, exchange: ServerExchange) => void;
}

/** An exchange with a lane and a sink that write down what they hear, in one order. */
function open({ body = new Uint8Array(10), room = true, on }: OpenOptions = {}) {
  const clock = new FakeClock();
  const heard: string[] = [];
  const sent: string[] = [];
  const ends: ExchangeEnd[] = [];
  const state = { room, received: 0 };
  const lane: Lane = {
    hasRoom: () => state.room,
    request: (_head, bytes, end) => sent.push(`request ${bytes.length}${end ? " end" : ""}`),
    data: (bytes, end) => sent.push(`data ${bytes.length}${end ? " end" : ""}`),
    credit: (bytes) => sent.push(`credit ${bytes}`),
    reset: (code) => sent.push(`reset ${code}`) > 0,
  };
  const note = (event: string): void => {
    heard.push(event);
    on?.(event, exchange);
  };
  const sink: ExchangeSink = {
    onHead: () => note("head"),
    onData: (bytes) => {
      state.received += bytes.length;
      note("data");
    },
    onEnd: (end) => {
      ends.push(end);
      note("end");
    },
    onSettled: () => note("settled"),
  };
  const exchange: ServerExchange = new ServerExchange(
    { head: { method: "POST", path: "/x", headers: [] }, body },
    sink,
    {
      lane,
      clock,
      sendWindow: WINDOW,
      maxRequestBytes: Number.POSITIVE_INFINITY,
      receive: new ReceiveCredit(WINDOW),
      confirmTimeoutMs: CONFIRM_MS,
      onSettled: () => heard.push("forgotten"),
    },
  );
  exchange.resume();
  return { clock, exchange, heard, sent, ends, state };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** What a peer, a client, a socket or the time can do to an exchange. */
const STEP = fc.oneof(
  fc.record({ do: fc.constant("head" as const), bytes: fc.nat(700), end: fc.boolean() }),
  fc.record({ do: fc.constant("data" as const), bytes: fc.nat(700), end: fc.boolean() }),
  fc.record({ do: fc.constant("credit" as const), bytes: fc.nat(400) }),
  fc.record({ do: fc.constant("reset" as const), code: fc.constantFrom("internal" as const, "busy" as const) }),
  fc.record({ do: fc.constant("lost" as const) }),
  fc.record({ do: fc.constantFrom("canceled" as const, "timeout" as const) }),
  fc.record({ do: fc.constant("take" as const) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.nat(6000) }),
  fc.record({ do: fc.constant("room" as const), room: fc.boolean() }),
);

/** The rules of docs/protocol.md in their shortest form, against which the real exchange is held. */
class Model {
  headSeen = false;
  ended: ExchangeEnd["kind"] | undefined;
  settled = false;
  held = 0;
  left = WINDOW;
  owed = 0;
  data = 0;
  confirmAt: number | undefined;

  answer(isHead: boolean, bytes: number, end: boolean, now: number): void {
    if (!this.ended) {
      if (isHead === this.headSeen) this.breakOff("broken", now);
      else {
        this.headSeen = true;
        this.left -= bytes;
        if (this.left < 0) this.breakOff("broken", now);
        else {
          this.data += bytes;
          this.held += bytes;
          if (end) this.ended = "complete";
        }
      }
    }
    if (end) this.settled = true;
  }

  take(): void {
    if (this.ended) return;
    this.owed += this.held;
    this.held = 0;
    if (this.owed < WINDOW / 4) return;
    this.left += this.owed;
    this.owed = 0;
  }

  breakOff(kind: ExchangeEnd["kind"], now: number): void {
    if (this.ended) return;
    this.ended = kind;
    this.confirmAt = now + CONFIRM_MS;
  }

  gone(kind: ExchangeEnd["kind"]): void {
    this.ended ??= kind;
    this.settled = true;
  }

  pass(now: number): void {
    if (this.confirmAt !== undefined && this.confirmAt <= now) this.settled = true;
  }
}

test("in any order of frames, cancels, losses and waits an exchange follows the model after every step", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 25 }), fc.integer({ min: 0, max: 3000 }), (steps, bodyBytes) => {
      const { clock, exchange, heard, sent, ends, state } = open({ body: new Uint8Array(bodyBytes) });
      const model = new Model();
      for (const step of steps) {
        switch (step.do) {
          case "head":
            exchange.handleHead(HEAD, new Uint8Array(step.bytes), step.end);
            model.answer(true, step.bytes, step.end, clock.elapsed());
            break;
          case "data":
            exchange.handleData(new Uint8Array(step.bytes), step.end);
            model.answer(false, step.bytes, step.end, clock.elapsed());
            break;
          case "credit":
            exchange.handleCredit(step.bytes);
            break;
          case "reset":
            exchange.handleReset(step.code, "");
            model.gone(step.code === "busy" && !model.headSeen ? "refused" : "broken");
            break;
          case "lost":
            exchange.handleLost("gone");
            model.gone("lost");
            break;
          case "take":
            exchange.consumed(model.held);
            model.take();
            break;
          case "wait":
            clock.advance(step.ms);
            model.pass(clock.elapsed());
            break;
          case "room":
            state.room = step.room;
            exchange.resume();
            break;
          default:
            exchange.cancel(step.do);
            model.breakOff("canceled", clock.elapsed());
        }
        expect(ends.map(({ kind }) => kind)).toEqual(model.ended ? [model.ended] : []);
        expect(heard.filter((event) => event === "settled").length).toBe(model.settled ? 1 : 0);
        expect(state.received).toBe(model.data);
      }
      expect(heard.filter((event) => event === "forgotten").length).toBe(model.settled ? 1 : 0);
      if (model.settled) expect(heard.slice(-3)).toEqual(["end", "forgotten", "settled"].slice(model.ended ? 0 : 1));
      expect(clock.pending).toBe(model.ended && !model.settled ? 1 : 0);
      // At most one break-off leaves, and nothing for this exchange after it.
      const reset = sent.findIndex((what) => what.startsWith("reset"));
      if (reset >= 0) expect(reset).toBe(sent.length - 1);
      expect(sent.filter((what) => what.endsWith(" end")).length).toBeLessThanOrEqual(1);
      expect(sent.filter((what) => what.startsWith("request")).length).toBe(1);
    }),
    { numRuns: times(3000) },
  );
});

test("a sink that cancels from inside any call hears its one end and one settling, in order", () => {
  for (const moment of ["head", "data", "end", "settled"]) {
    const { exchange, heard, clock } = open({
      on: (event, running) => {
        if (event === moment) running.cancel("canceled");
      },
    });
    exchange.handleHead(HEAD, new Uint8Array(5), false);
    exchange.handleData(new Uint8Array(5), true);
    clock.advance(CONFIRM_MS);
    expect(heard.slice(-3)).toEqual(["end", "forgotten", "settled"]);
    expect(heard.filter((event) => event === "end").length).toBe(1);
    expect(clock.pending).toBe(0);
  }
});

test("a cancelled job gets no bytes that were still in transit", () => {
  const { exchange, state } = open();
  exchange.handleHead(HEAD, new Uint8Array(5), false);
  exchange.cancel("canceled");
  exchange.handleData(new Uint8Array(500), false);
  exchange.handleHead(HEAD, new Uint8Array(5), false);
  expect(state.received).toBe(5);
});

test.each([
  ["END on data", (exchange: ServerExchange) => exchange.handleData(NOTHING, true)],
  ["END on a head", (exchange: ServerExchange) => exchange.handleHead(HEAD, NOTHING, true)],
  ["RESET", (exchange: ServerExchange) => exchange.handleReset("canceled", "")],
  ["the end of the session", (exchange: ServerExchange) => exchange.handleLost("closed")],
])("a cancelled worker's slot is held until %s, and freed once", (_name, confirm) => {
  const { exchange, heard, clock } = open();
  exchange.cancel("timeout");
  clock.advance(CONFIRM_MS - 1);
  expect(heard).toEqual(["end"]);
  confirm(exchange);
  clock.advance(CONFIRM_MS * 2);
  expect(heard).toEqual(["end", "forgotten", "settled"]);
});

test("a cancel says whether the client left or the worker was silent", () => {
  for (const code of ["canceled", "timeout"] as const) {
    const { exchange, sent } = open();
    exchange.cancel(code);
    exchange.cancel("canceled");
    expect(sent).toEqual(["request 10 end", `reset ${code}`]);
  }
});

test.each([
  ["a second head", true, (e: ServerExchange) => e.handleHead(HEAD, NOTHING, true)],
  ["data before the head", false, (e: ServerExchange) => e.handleData(NOTHING, true)],
  ["a byte over the window", true, (e: ServerExchange) => e.handleData(new Uint8Array(WINDOW + 1), true)],
])(
  "%s that is also the worker's END frees its slot at once, because no confirmation will follow",
  (_name, begun, violate) => {
    const { exchange, heard, ends } = open();
    if (begun) exchange.handleHead(HEAD, NOTHING, false);
    violate(exchange);
    expect(ends.map(({ kind }) => kind)).toEqual(["broken"]);
    expect(heard.slice(-3)).toEqual(["end", "forgotten", "settled"]);
  },
);

test("a worker without a free slot refuses the request: its upload stops and its slot is not held", async () => {
  let cancelledBecause: unknown;
  const body = new ReadableStream<Uint8Array>({
    cancel: (reason) => {
      cancelledBecause = reason;
    },
  });
  const { exchange, ends, heard, sent, clock } = open({ body });
  exchange.handleReset("busy", "8 of 8 slots taken");
  await settle();
  expect(ends).toEqual([{ kind: "refused", message: "8 of 8 slots taken" }]);
  expect(heard).toEqual(["end", "forgotten", "settled"]);
  expect(cancelledBecause).toBe("refused");
  expect(sent).toEqual(["request 0"]);
  expect(clock.pending).toBe(0);
});

test("a worker that has begun to answer cannot refuse the request any more", () => {
  const { exchange, ends, heard } = open();
  exchange.handleHead(HEAD, NOTHING, false);
  exchange.handleReset("busy", "");
  expect(ends).toMatchObject([{ kind: "broken", code: "protocol_error" }]);
  expect(heard).toEqual(["head", "end", "forgotten", "settled"]);
});

test("data beyond the credit is not passed on", () => {
  const { exchange, state, ends, sent } = open();
  exchange.handleHead(HEAD, new Uint8Array(WINDOW), false);
  exchange.handleData(new Uint8Array(1), false);
  expect(state.received).toBe(WINDOW);
  expect(ends).toEqual([{ kind: "broken", code: "flow_control", message: expect.any(String) }]);
  expect(sent.at(-1)).toBe("reset flow_control");
});

test("an answer that is complete before its upload stops the upload, and the worker is reset after the sink's end", async () => {
  let cancelledBecause: unknown;
  const order: string[] = [];
  const body = new ReadableStream<Uint8Array>({
    cancel: (reason) => {
      cancelledBecause = reason;
    },
  });
  const { exchange, sent, heard } = open({ body, on: (event) => order.push(event) });
  exchange.handleHead(HEAD, new Uint8Array(3), true);
  await settle();
  expect(heard).toEqual(["head", "data", "end", "forgotten", "settled"]);
  expect(sent).toEqual(["request 0", "reset canceled"]);
  expect(cancelledBecause).toBe("complete");
});

test("an answer that begins before its upload is done does not stop the upload", () => {
  const { exchange, sent } = open({ body: new Uint8Array(1500) });
  exchange.handleHead(HEAD, NOTHING, false);
  exchange.handleCredit(1000);
  expect(sent).toEqual(["request 1000", "data 500 end"]);
  exchange.handleData(NOTHING, true);
  expect(sent.some((what) => what.startsWith("reset"))).toBe(false);
});

test("an upload that breaks off cancels the exchange at its worker", async () => {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new Error("gone")),
  });
  const { sent, ends } = open({ body });
  await settle();
  expect(ends).toEqual([{ kind: "canceled", cause: new Error("gone") }]);
  expect(sent).toEqual(["request 0", "reset canceled"]);
});

test("a request without room sends its head at once, can be cancelled like any other, and sends no body after that", () => {
  const { exchange, sent, heard, clock, state } = open({ room: false });
  expect(sent).toEqual(["request 0"]);
  exchange.cancel("canceled");
  expect(heard).toEqual(["end"]);
  clock.advance(CONFIRM_MS);
  expect(heard).toEqual(["end", "forgotten", "settled"]);
  state.room = true;
  exchange.resume();
  expect(sent).toEqual(["request 0", "reset canceled"]);
  expect(clock.pending).toBe(0);
});

test("a body without room is sent when the socket has drained", () => {
  const { exchange, sent, state } = open({ room: false });
  state.room = true;
  exchange.resume();
  expect(sent).toEqual(["request 0", "data 10 end"]);
});

test("an empty request body is one frame", () => {
  expect(open({ body: NOTHING }).sent).toEqual(["request 0 end"]);
});

test("bytes read after the end grant no credit", () => {
  const { exchange, sent } = open();
  exchange.handleHead(HEAD, new Uint8Array(WINDOW), true);
  exchange.consumed(WINDOW);
  expect(sent).toEqual(["request 10 end"]);
});

test("only bytes count as progress, not credit or empty data", () => {
  const { exchange, clock } = open();
  const begun = exchange.lastProgressAt;
  clock.advance(10);
  exchange.handleCredit(100);
  exchange.handleCredit(0);
  expect(exchange.lastProgressAt).toBe(begun);
  exchange.handleHead(HEAD, NOTHING, false);
  expect(exchange.lastProgressAt).toBe(begun + 10);
  clock.advance(10);
  exchange.handleData(NOTHING, false);
  expect(exchange.lastProgressAt).toBe(begun + 10);
  exchange.handleData(new Uint8Array(1), false);
  expect(exchange.lastProgressAt).toBe(begun + 20);
});

test("credit that lets a waiting upload continue counts as progress", () => {
  const { exchange, clock } = open({ body: new Uint8Array(1500) });
  clock.advance(10);
  exchange.handleCredit(1);
  expect(exchange.lastProgressAt).toBe(clock.elapsed());
});

test("a worker that has read all of its credit counts as silent", () => {
  const { exchange } = open({ body: new Uint8Array(1500) });
  expect(exchange.isWaitingForUs).toBe(false);
});

test("a worker that waits for an upload on a full socket counts as silent", () => {
  const { exchange, state } = open({ body: new ReadableStream<Uint8Array>() });
  expect(exchange.isWaitingForUs).toBe(true);
  state.room = false;
  expect(exchange.isWaitingForUs).toBe(false);
});

test.each([
  ["that is sent in pieces", new Uint8Array(WINDOW + 1), true, [["content-length", String(WINDOW + 1)]]],
  ["that waits for a full socket", new Uint8Array(10), false, [["content-length", "10"]]],
  ["that is sent at once, whose length needs no word,", new Uint8Array(10), true, []],
  ["of unknown length", new ReadableStream<Uint8Array>(), true, []],
])("a request body %s is declared as it is", (_, body, room, expected) => {
  const heads: RequestHead[] = [];
  const lane: Lane = {
    hasRoom: () => room,
    request: (head) => heads.push(head),
    data: () => {},
    credit: () => {},
    reset: () => true,
  };
  const sink: ExchangeSink = { onHead: () => {}, onData: () => {}, onEnd: () => {}, onSettled: () => {} };
  const exchange = new ServerExchange({ head: { method: "POST", path: "/x", headers: [] }, body }, sink, {
    lane,
    clock: new FakeClock(),
    sendWindow: WINDOW,
    maxRequestBytes: Number.POSITIVE_INFINITY,
    receive: new ReceiveCredit(WINDOW),
    confirmTimeoutMs: CONFIRM_MS,
    onSettled: () => {},
  });
  exchange.resume();
  expect(heads.map(({ headers }) => headers)).toEqual([expected as HeaderPairs]);
});
