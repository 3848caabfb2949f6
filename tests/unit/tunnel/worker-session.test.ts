import { expect, test } from "bun:test";
import fc from "fast-check";
import { silentLog } from "../../../src/system/log.ts";
import type { ExchangeEnd, ExchangeSink } from "../../../src/tunnel/exchange.ts";
import { ExchangeIds } from "../../../src/tunnel/exchange-ids.ts";
import { createNativeDialect } from "../../../src/tunnel/native.ts";
import { capacityOf, type Offer } from "../../../src/tunnel/session.ts";
import { WorkerSession } from "../../../src/tunnel/worker-session.ts";
import {
  decodeFrame,
  encodeCredit,
  encodeRequest,
  encodeReset,
  encodeResponse,
  encodeResponseData,
  MAX_EXCHANGE_ID,
} from "../../../src/wire/frame.ts";
import type { Body } from "../../../src/wire/pump.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { times } from "../../support/times.ts";

const WINDOW = 1000;
const HEAD = { status: 200, headers: [] } as const;
const NOTHING = new Uint8Array(0);
const OFFER: Offer = { models: ["a"], maxConcurrency: 2, embeddingBatchSize: 8, status: "ready", reason: undefined };

class Witness implements ExchangeSink {
  readonly heard: string[] = [];
  readonly ends: ExchangeEnd[] = [];
  onHead = (): void => void this.heard.push("head");
  onData = (bytes: Uint8Array): void => void this.heard.push(`data ${bytes.length}`);
  onSettled = (): void => void this.heard.push("settled");
  onEnd = (end: ExchangeEnd): void => {
    this.ends.push(end);
    this.heard.push(end.kind);
  };
}

function start(ids = new ExchangeIds(), offer = OFFER) {
  const clock = new FakeClock();
  const sent: (string | Uint8Array)[] = [];
  const closes: string[] = [];
  const told: string[] = [];
  const logged: object[] = [];
  const forgotten: number[] = [];
  const state = { result: "sent" as "sent" | "queued" | "lost", pings: 0 };
  const session: WorkerSession = new WorkerSession({
    id: "s",
    worker: { id: "w", name: "w", version: undefined, hostInfo: {} },
    offer,
    dialect: { ...createNativeDialect(WINDOW), forget: (id) => forgotten.push(id) },
    socket: {
      send(data) {
        sent.push(data);
        if (state.result !== "sent") session.handleSendResult(state.result);
      },
      sendNow(data) {
        sent.push(data.slice());
        if (state.result !== "sent") session.handleSendResult(state.result);
      },
      ping: () => {
        state.pings += 1;
      },
      close(code, reason) {
        closes.push(`${code} ${reason}`);
        // A real socket tells of its end from within the call, or later, or both.
        session.handleClosed(reason);
      },
    },
    host: {
      onOfferChange: () => told.push("offer"),
      onClosed: (_session, reason) => told.push(`closed ${reason}`),
    },
    clock,
    log: { ...silentLog, info: (event, fields) => logged.push({ event, ...fields }) },
    confirmTimeoutMs: 5000,
    ids,
  });
  const open = (body: Body = new Uint8Array(10)) => {
    const sink = new Witness();
    return { sink, exchange: session.open({ head: { method: "POST", path: "/x", headers: [] }, body }, sink) };
  };
  const frames = (): string[] =>
    sent.map((data) => {
      if (typeof data === "string") return data;
      const frame = decodeFrame(data);
      return frame.type === "bad" ? "bad" : `${frame.type} ${frame.id}`;
    });
  return { clock, session, open, sent, frames, closes, told, logged, forgotten, state };
}

const control = (message: object): string => JSON.stringify(message);

test("exchanges on one session have unique ids from 1 up, and get only their own frames", () => {
  const { session, open, frames } = start();
  const [first, second] = [open(), open()];
  expect(frames()).toEqual(["request 1", "request 2"]);
  session.handleMessage(encodeResponse(2, HEAD, new Uint8Array(3), false));
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(5), true));
  session.handleMessage(encodeResponseData(2, new Uint8Array(4), true));
  expect(first.sink.heard).toEqual(["head", "data 5", "complete", "settled"]);
  expect(second.sink.heard).toEqual(["head", "data 3", "data 4", "complete", "settled"]);
});

test("an exchange id is never reused, not even after its exchange has ended", () => {
  const { session, open, frames } = start();
  open();
  session.handleMessage(encodeResponse(1, HEAD, NOTHING, true));
  open();
  expect(frames()).toEqual(["request 1", "request 2"]);
});

test("a session that has used up its ids closes so that its worker reconnects, and opens no more exchanges", async () => {
  const { open, frames, closes } = start(new ExchangeIds(MAX_EXCHANGE_ID));
  const [last, none] = [open(), open()];
  expect(frames()).toEqual([`request ${MAX_EXCHANGE_ID}`]);
  await Promise.resolve();
  expect(closes).toEqual(["1012 exchange ids used up"]);
  await Promise.resolve();
  expect([last, none].map(({ sink }) => sink.heard)).toEqual([
    ["lost", "settled"],
    ["lost", "settled"],
  ]);
});

test.each([
  ["a head", encodeResponse(1, HEAD, new Uint8Array(1), false)],
  ["data", encodeResponseData(1, new Uint8Array(1), true)],
  ["credit", encodeCredit(1, 5)],
  ["a reset", encodeReset(1, "canceled", "")],
])("%s for an ended exchange is ignored and counted, and the session continues", (_name, frame) => {
  const { session, open, closes, logged } = start();
  const { sink } = open();
  session.handleMessage(encodeResponse(1, HEAD, NOTHING, true));
  const before = [...sink.heard];
  session.handleMessage(frame);
  expect(sink.heard).toEqual(before);
  expect(closes).toEqual([]);
  session.close({ code: 1001, reason: "bye" });
  expect(logged).toEqual([{ event: "session.closed", reason: "bye", running: 0, ignored: 1 }]);
});

test.each([
  ["a head for an id never opened", encodeResponse(2, HEAD, NOTHING, true)],
  ["data for an id never opened", encodeResponseData(4_000_000_000, NOTHING, true)],
  ["credit for an id never opened", encodeCredit(2, 1)],
  ["a reset of an id never opened", encodeReset(2, "internal", "")],
  ["a frame for id 0", encodeResponseData(0, NOTHING, false)],
  ["a request", encodeRequest(1, { method: "GET", path: "/", headers: [] }, NOTHING, true)],
  ["a frame cut short", new Uint8Array([4, 0])],
  ["an unknown frame type", new Uint8Array([9, 0, 0, 0, 0, 1])],
  ["text that is no JSON", "hello"],
  ["empty text", ""],
  ["JSON that is no object", "[1]"],
  ["an object without a type", "{}"],
  ["a known control message with a wrong field", control({ type: "models_update", models: "a" })],
])("%s ends the session with 1002, and its exchanges with it", (_name, message) => {
  const { session, open, closes, told } = start();
  const { sink } = open();
  session.handleMessage(message);
  expect(closes.length).toBe(1);
  expect(closes[0]).toStartWith("1002 ");
  expect(Buffer.byteLength(closes[0] ?? "")).toBeLessThanOrEqual(5 + 123);
  expect(sink.ends.map(({ kind }) => kind)).toEqual(["lost"]);
  expect(told.length).toBe(1);
});

test("with any bytes or text the session continues or closes once with 1002, and each exchange ends at most once", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.json(), fc.string()), { maxLength: 8 }),
      (messages) => {
        const { session, open, closes, told } = start();
        const { sink } = open();
        for (const message of messages) session.handleMessage(message);
        expect(closes.length).toBeLessThanOrEqual(1);
        expect(told.filter((what) => what.startsWith("closed")).length).toBe(closes.length);
        expect(sink.ends.length).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: times(2000) },
  );
});

test("an unknown control type is ignored and counted", () => {
  const { session, closes, told, logged } = start();
  session.handleMessage(control({ type: "from_the_future", models: 5 }));
  session.handleMessage(control({ type: "__proto__" }));
  expect(closes).toEqual([]);
  expect(told).toEqual([]);
  session.close({ code: 1001, reason: "bye" });
  expect(logged[0]).toMatchObject({ ignored: 2 });
});

test("a status_update changes the fields that it has and keeps the others", () => {
  const { session, told } = start();
  session.handleMessage(control({ type: "status_update", max_concurrency: 5 }));
  expect(session.offer).toEqual({ ...OFFER, maxConcurrency: 5 });
  session.handleMessage(control({ type: "status_update", models: ["b", "b", "c"], embedding_batch_size: 32 }));
  expect(session.offer).toEqual({ ...OFFER, maxConcurrency: 5, models: ["b", "c"], embeddingBatchSize: 32 });
  expect(told).toEqual(["offer", "offer"]);
});

test.each([
  ["idle", "ready", 2],
  ["working", "ready", 2],
  ["not_ready", "not_ready", 0],
  ["draining", "draining", 0],
] as const)("a worker that reports %s counts as %s with room for %d", (reported, status, capacity) => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", status: reported, reason: "so" }));
  expect(session.offer).toMatchObject({ status, reason: "so" });
  expect(capacityOf(session.offer)).toBe(capacity);
});

test("a status_update without a reason removes the old one", () => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", status: "not_ready", reason: "backend down" }));
  session.handleMessage(control({ type: "status_update", status: "idle" }));
  expect(session.offer.reason).toBeUndefined();
});

test("a draining worker that only updates its slots is still draining", () => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", status: "draining", max_concurrency: 0 }));
  session.handleMessage(control({ type: "status_update", max_concurrency: 3 }));
  expect(capacityOf(session.offer)).toBe(0);
});

test("an embedding_batch_size of 0 is ignored", () => {
  const { session } = start();
  session.handleMessage(control({ type: "status_update", embedding_batch_size: 0 }));
  session.handleMessage(control({ type: "status_update", agent_config: { embedding_batch_size: "many" } }));
  expect(session.offer.embeddingBatchSize).toBe(8);
});

test("a status_update adds facts about the host", () => {
  const { session } = start();
  session.handleMessage(
    control({ type: "status_update", agent_config: { backend_version: "0.9", embedding_batch_size: "32" } }),
  );
  expect(session.worker.hostInfo).toMatchObject({ backend_version: "0.9" });
  expect(session.offer.embeddingBatchSize).toBe(32);
  session.handleMessage(control({ type: "status_update", agent_config: { backend_version: "1.0", os_name: "linux" } }));
  expect(session.worker.hostInfo).toMatchObject({ backend_version: "1.0", os_name: "linux" });
});

test("at most 32 facts about a host are kept, however many a worker sends", () => {
  const { session } = start();
  for (let count = 0; count < 100; count += 1)
    session.handleMessage(control({ type: "status_update", agent_config: { [`fact_${count}`]: "x" } }));
  expect(Object.keys(session.worker.hostInfo).length).toBe(32);
});

test("a worker's announced kinds of exchange stay announced, whatever else it reports", () => {
  const { session } = start(undefined, { ...OFFER, exchangeKinds: ["http", "made_up"] });
  session.handleMessage(control({ type: "status_update", max_concurrency: 5 }));
  session.handleMessage(control({ type: "models_update", models: ["b"] }));
  expect(session.offer.exchangeKinds).toEqual(["http", "made_up"]);
});

test("a models_update changes the models alone", () => {
  const { session, told } = start();
  session.handleMessage(control({ type: "models_update", models: [] }));
  expect(session.offer).toEqual({ ...OFFER, models: [] });
  expect(told).toEqual(["offer"]);
});

test("a heartbeat is a sign of life with the machine's load, and does not change the offer", () => {
  const { session, clock, told } = start();
  expect(session.lastHeartbeatAt).toBe(clock.now());
  clock.advance(5000);
  session.handleMessage(control({ type: "heartbeat", ts: 1, host_cpu_percent: 12.5, host_ram_used_percent: null }));
  expect(session.lastHeartbeatAt).toBe(clock.now());
  expect(session.telemetry).toEqual({ cpuPercent: 12.5, ramUsedPercent: undefined });
  expect(told).toEqual([]);
});

test("every message and every pong is a sign of life, even an ignored one", () => {
  const { session, clock } = start();
  for (const hear of [() => session.handlePong(), () => session.handleMessage(control({ type: "new" }))]) {
    clock.advance(1000);
    hear();
    expect(session.lastHeardAt).toBe(clock.elapsed());
  }
});

test("a congested socket pauses all uploads, also new ones, until it has drained", () => {
  const { session, open, frames, state } = start();
  const large = open(new Uint8Array(1500));
  expect(frames()).toEqual(["request 1"]);
  session.handleSendResult("queued");
  session.handleMessage(encodeCredit(1, 5000));
  open(new Uint8Array(10));
  // The head of the second has left: only its body waits.
  expect(frames()).toEqual(["request 1", "request 2"]);
  session.handleDrain();
  expect(frames()).toEqual(["request 1", "request 2", "request_data 1", "request_data 2"]);
  expect(large.sink.heard).toEqual([]);
  expect(state.result).toBe("sent");
});

test("a socket that congests again while it is being refilled leaves the rest waiting", () => {
  const { session, open, frames, state } = start();
  session.handleSendResult("queued");
  open();
  open();
  const heads = ["request 1", "request 2"];
  state.result = "queued";
  session.handleDrain();
  expect(frames()).toEqual([...heads, "request_data 1"]);
  session.handleDrain();
  expect(frames()).toEqual([...heads, "request_data 1", "request_data 2"]);
});

test("requests begin in the order of their ids, whole or streamed, in any state of the socket", () => {
  const { session, open, frames } = start();
  session.handleSendResult("queued");
  open(new Uint8Array(10));
  open(new Response("an upload").body as ReadableStream<Uint8Array>);
  open(NOTHING);
  open(new Uint8Array(1500));
  expect(frames().filter((frame) => frame.startsWith("request "))).toEqual([1, 2, 3, 4].map((id) => `request ${id}`));
});

test("congestion does not delay grants, resets and the close", () => {
  const { session, open, frames } = start();
  const { exchange } = open();
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(500), false));
  session.handleSendResult("queued");
  exchange.consumed(500);
  exchange.cancel("canceled");
  session.sendDrain("restart", 1000);
  expect(frames().slice(1)).toEqual([
    "credit 1",
    "reset 1",
    '{"type":"drain","reason":"restart","retry_after_ms":1000}',
  ]);
});

test("a send that is lost ends the session, but not in the middle of the send", async () => {
  const { session, open, closes, state } = start();
  state.result = "lost";
  const { sink } = open();
  expect(closes).toEqual([]);
  expect(sink.heard).toEqual([]);
  await Promise.resolve();
  expect(closes).toEqual(["1011 send failed"]);
  expect(sink.heard).toEqual(["lost", "settled"]);
  session.handleSendResult("lost");
  await Promise.resolve();
  expect(closes.length).toBe(1);
});

test("the end of a session is reported to the pool first, then to each exchange", () => {
  const order: string[] = [];
  const { session, open, told } = start();
  told.push = (what) => order.push(what);
  for (const name of ["first", "second"]) {
    const { sink } = open();
    sink.onEnd = (end) => order.push(`${name} ${end.kind}`);
  }
  session.close({ code: 4001, reason: "replaced" });
  expect(order).toEqual(["closed replaced", "first lost", "second lost"]);
});

test("a late or second close changes nothing, and messages after the first are ignored", () => {
  const { session, open, closes, told, logged, sent } = start();
  const { sink, exchange } = open();
  session.close({ code: 1000, reason: "bye" });
  session.handleClosed("late");
  session.close({ code: 1002, reason: "later" });
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(1), true));
  session.handleMessage("garbage");
  session.handleDrain();
  exchange.consumed(5);
  exchange.cancel("canceled");
  session.sendDrain("x", 1);
  expect(closes).toEqual(["1000 bye"]);
  expect(told).toEqual(["closed bye"]);
  expect(logged.length).toBe(1);
  expect(sink.heard).toEqual(["lost", "settled"]);
  expect(sent.length).toBe(1);
});

test("an exchange that cancels a neighbour while the session closes does not end the neighbour twice", () => {
  const { session, open } = start();
  const first = open();
  const second = open();
  first.sink.onEnd = () => second.exchange.cancel("canceled");
  session.handleClosed("gone");
  expect(second.sink.heard).toEqual(["canceled", "settled"]);
});

test("an exchange opened on a closed session is lost, after the call, and nothing is sent", async () => {
  const { session, open, sent } = start();
  session.handleClosed("gone");
  const { sink } = open();
  expect(sink.heard).toEqual([]);
  await Promise.resolve();
  expect(sink.heard).toEqual(["lost", "settled"]);
  expect(sent).toEqual([]);
});

test("a sink that closes the session during a call gets no more data", () => {
  const { session, open } = start();
  const { sink } = open();
  const onData = sink.onData;
  sink.onData = (bytes) => {
    onData(bytes);
    session.close({ code: 1011, reason: "enough" });
  };
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(1), true));
  expect(sink.heard).toEqual(["head", "data 1", "lost", "settled"]);
});

test("a cancelled exchange is remembered until its worker confirms, so late frames do not close the session", () => {
  const { session, open, closes, clock } = start();
  const { sink, exchange } = open();
  exchange.cancel("canceled");
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(900), false));
  session.handleMessage(encodeResponseData(1, new Uint8Array(900), false));
  expect(sink.heard).toEqual(["canceled"]);
  session.handleMessage(encodeReset(1, "canceled", ""));
  session.handleMessage(encodeResponseData(1, new Uint8Array(900), true));
  expect(sink.heard).toEqual(["canceled", "settled"]);
  expect(closes).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("a dialect keeps an exchange's state until the exchange has settled", () => {
  const { session, open, forgotten } = start();
  open();
  const { exchange } = open();
  exchange.cancel("canceled");
  expect(forgotten).toEqual([]);
  session.handleMessage(encodeResponse(2, HEAD, NOTHING, true));
  expect(forgotten).toEqual([2]);
  session.close({ code: 1001, reason: "bye" });
  expect(forgotten).toEqual([2, 1]);
});

test("an exchange that exceeds its credit ends alone", () => {
  const { session, open, closes, frames } = start();
  const [greedy, good] = [open(), open()];
  session.handleMessage(encodeResponse(1, HEAD, new Uint8Array(WINDOW + 1), false));
  session.handleMessage(encodeResponse(2, HEAD, new Uint8Array(5), true));
  expect(greedy.sink.heard).toEqual(["head", "broken"]);
  expect(frames().at(-1)).toBe("reset 1");
  expect(good.sink.heard).toEqual(["head", "data 5", "complete", "settled"]);
  expect(closes).toEqual([]);
});
