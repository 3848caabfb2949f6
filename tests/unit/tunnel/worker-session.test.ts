import { expect, test } from "bun:test";
import fc from "fast-check";
import { ExchangeIds } from "../../../src/tunnel/exchange-ids.ts";
import {
  encodeCredit,
  encodeRequest,
  encodeReset,
  encodeResponse,
  encodeResponseData,
  MAX_EXCHANGE_ID,
} from "../../../src/wire/frame.ts";
import { control, HEAD, NOTHING, startNativeSession as start, WINDOW } from "../../support/native-session.ts";
import { times } from "../../support/times.ts";

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

test("every message and every pong is a sign of life, even an ignored one", () => {
  const { session, clock } = start();
  for (const hear of [() => session.handlePong(), () => session.handleMessage(control({ type: "new" }))]) {
    clock.advance(1000);
    hear();
    expect(session.lastHeardAt).toBe(clock.elapsed());
  }
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
