import { expect, test } from "bun:test";
import { createNativeDialect } from "../../../src/tunnel/native.ts";
import { decodeFrame, encodeCredit, encodeRequest, encodeRequestData } from "../../../src/wire/frame.ts";
import { NATIVE_PROTOCOL } from "../../../src/wire/protocol.ts";

const dialect = createNativeDialect(1000);
const decode = (message: string | Uint8Array) => dialect.decode(message, () => true);

test("the subprotocol is moorage.v1", () => {
  expect(NATIVE_PROTOCOL).toBe("moorage.v1");
});

test("both directions start with the same window and are granted credit in quarters of it", () => {
  expect(dialect.sendWindow).toBe(1000);
  const receive = dialect.createReceiveCredit();
  expect(receive.receive(1000)).toBe(true);
  expect(receive.consume(249)).toBe(0);
  expect(receive.consume(1)).toBe(250);
});

test.each([
  ["request", encodeRequest(1, { method: "GET", path: "/", headers: [] }, new Uint8Array(0), true)],
  ["request_data", encodeRequestData(1, new Uint8Array(0), true)],
])("a worker must not send %s, because only the server sends requests", (type, frame) => {
  expect(decode(frame)).toEqual({ type: "bad", reason: `a worker sent ${type}` });
});

test("binary is a frame and text is control, never the other way round", () => {
  expect(decode(encodeCredit(1, 2))).toEqual({ type: "credit", id: 1, bytes: 2 });
  expect(decode(Buffer.from('{"type":"heartbeat"}'))).toMatchObject({ type: "bad" });
  expect(decode('{"type":"heartbeat"}')).toMatchObject({ type: "control", control: { type: "heartbeat" } });
  expect(decode('{"type":"something_new"}')).toEqual({ type: "ignored" });
  expect(decode('{"type":"models_update"}')).toMatchObject({ type: "bad" });
});

test("a lane writes frames with its own id, and asks the session for room", () => {
  const sent: Uint8Array[] = [];
  let room = true;
  const lane = dialect.createLane(7, {
    hasRoom: () => room,
    send: (data) => sent.push(data as Uint8Array), // this dialect's lanes send bytes only
    sendNow: () => expect.unreachable(),
    receive: () => expect.unreachable(),
    resume: () => {},
  });
  const head = { method: "POST", path: "/x", headers: [["a", "b"]] } as const;
  lane.request(head, new Uint8Array([1]), false);
  lane.data(new Uint8Array([2]), true);
  lane.credit(300);
  lane.reset("timeout", "too long");
  expect(sent.map(decodeFrame)).toEqual([
    { type: "request", id: 7, end: false, head, body: Buffer.from([1]) },
    { type: "request_data", id: 7, end: true, body: Buffer.from([2]) },
    { type: "credit", id: 7, bytes: 300 },
    { type: "reset", id: 7, code: "timeout", message: "too long" },
  ]);
  expect(lane.hasRoom()).toBe(true);
  room = false;
  expect(lane.hasRoom()).toBe(false);
});

test("a large frame is sent before its memory is reused", () => {
  const sent: Buffer[] = [];
  const lane = dialect.createLane(7, {
    hasRoom: () => true,
    send: (data) => sent.push(Buffer.from(data)),
    sendNow: (data) => sent.push(Buffer.from(data)),
    receive: () => expect.unreachable(),
    resume: () => {},
  });
  const bodies = [16_383, 16_384, 70_000, 131_072, 131_073].map((bytes, at) => Buffer.alloc(bytes, at + 1));
  for (const body of bodies) lane.data(body, false);
  expect(sent.map(decodeFrame)).toEqual(
    bodies.map((body) => ({ type: "request_data", id: 7, end: false, body }) as const),
  );
});

test("the drain message has a reason and a duration", () => {
  expect(JSON.parse(dialect.drainMessage("restart", 1500) ?? "")).toEqual({
    type: "drain",
    reason: "restart",
    retry_after_ms: 1500,
  });
  expect(JSON.parse(dialect.handoverMessage("update", 500) ?? "")).toEqual({
    type: "handover",
    reason: "update",
    retry_after_ms: 500,
  });
});
