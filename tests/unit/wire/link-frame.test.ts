import { expect, test } from "bun:test";
import {
  decodeFrame,
  encodeCredit,
  encodeRequest,
  encodeReset,
  encodeResponse,
  encodeResponseData,
} from "../../../src/wire/frame.ts";
import type { RequestHead } from "../../../src/wire/heads.ts";
import { decodeLinkFrame, encodePing, encodePong, encodeTell } from "../../../src/wire/link-frame.ts";
import type { PeerOrder } from "../../../src/wire/peer-heads.ts";

const NOTHING = new Uint8Array(0);
const WORKER = { id: "w", name: "box", session: "a~123" };
const ORDER: PeerOrder = {
  plugin: "llm",
  model: "llama",
  sent_as: "llama:8b",
  exact: false,
  worker: "w",
  excluded: ["a~1", "a~2"],
  request_id: "r",
  caller: "api-key:1",
  tenant: "lab",
  weight: 2.5,
  class: "background",
  end_user: "digest",
  slot: "7",
  warm: [["a~3", 0.5]],
};
const HEAD: RequestHead = { method: "POST", path: "/x", headers: [["a", "b"]], peer: ORDER };

test("a request to another server names the job, and a worker's end of the wire does not read that", () => {
  const bytes = encodeRequest(9, HEAD, NOTHING, true);
  const { peer: order, ...head } = HEAD;
  expect(decodeLinkFrame(bytes)).toEqual({ type: "request", id: 9, end: true, head, order, body: Buffer.alloc(0) });
  const read = decodeFrame(bytes);
  expect(read.type === "request" && Object.keys(read.head)).toEqual(["method", "path", "headers"]);
});

test("a response of another server names its worker, and a worker cannot name one", () => {
  const bytes = encodeResponse(9, { status: 200, headers: [], worker: WORKER }, NOTHING, true);
  expect(decodeLinkFrame(bytes)).toMatchObject({ head: { status: 200, worker: WORKER } });
  expect(decodeFrame(bytes)).toMatchObject({ head: { status: 200, headers: [] } });
  expect(decodeFrame(bytes)).not.toMatchObject({ head: { worker: {} } });
});

test.each(["worker_lost", "too_many_calls", "too_large"] as const)(
  "RESET %s is read between servers, and is internal from a worker",
  (code) => {
    const bytes = encodeReset(9, code, "why", { worker: WORKER, max_bytes: 5 });
    expect(decodeLinkFrame(bytes)).toMatchObject({ code, message: "why", detail: { worker: WORKER, max_bytes: 5 } });
    expect(decodeFrame(bytes)).toEqual({ type: "reset", id: 9, code: "internal", message: "why" });
  },
);

test("RESET busy says how many slots are free, and a code of a newer version is internal", () => {
  expect(decodeLinkFrame(encodeReset(9, "busy", "", { free: 0 }))).toMatchObject({ code: "busy", detail: { free: 0 } });
  const newer = Buffer.from(encodeReset(9, "busy", ""))
    .toString("latin1")
    .replace("busy", "newr");
  expect(decodeLinkFrame(Buffer.from(newer, "latin1"))).toEqual({
    type: "reset",
    id: 9,
    code: "internal",
    message: "",
  });
});

test.each([
  ["free", { free: -1 }],
  ["free", { free: 0.5 }],
  ["worker", { worker: { id: "not an id", name: "", session: "a~1" } }],
  ["worker", { worker: { id: "w", name: "" } }],
  ["max_bytes", { max_bytes: "1" }],
])("a RESET with a wrong %s still ends the exchange", (_field, detail) => {
  const payload = JSON.stringify({ code: "busy", message: "", ...detail });
  const bytes = Buffer.concat([new Uint8Array([6, 1, 0, 0, 0, 9]), Buffer.from(payload)]);
  expect(decodeLinkFrame(bytes)).toEqual({ type: "reset", id: 9, code: "busy", message: "" });
});

test.each<readonly [string, object]>([
  ["without a plugin", { plugin: undefined }],
  ["with a plugin that is no name", { plugin: "../llm" }],
  ["without a model", { model: undefined }],
  ["with a model of 10,000 characters", { model: "x".repeat(10_000) }],
  ["without exact", { exact: undefined }],
  ["with a worker that is no id", { worker: "a/b" }],
  ["with 17 excluded sessions", { excluded: Array.from({ length: 17 }, (_, at) => `a~${at}`) }],
  ["with an excluded number", { excluded: [1] }],
  ["with a share above 1", { warm: [["a~1", 1.1]] }],
  ["with a share of NaN", { warm: [["a~1", null]] }],
  ["with 9 warm sessions", { warm: Array.from({ length: 9 }, () => ["a~1", 1]) }],
  ["without a request id", { request_id: undefined }],
])("a request whose order is %s is bad", (_what, changed) => {
  const head = { method: "POST", path: "/x", headers: [], peer: { ...ORDER, ...changed } };
  const text = Buffer.from(JSON.stringify(head));
  const frame = Buffer.alloc(10 + text.length);
  frame.set([1, 1, 0, 0, 0, 9]);
  frame.writeUInt32BE(text.length, 6);
  frame.set(text, 10);
  expect(decodeLinkFrame(frame)).toEqual({ type: "bad", reason: "bad request head" });
});

test("a class of a newer version counts as none", () => {
  const head = { ...HEAD, peer: { ...ORDER, class: "urgent" } } as unknown as RequestHead;
  const read = decodeLinkFrame(encodeRequest(9, head, NOTHING, true));
  expect(read.type === "request" && read.order?.class).toBeUndefined();
  expect(read).toMatchObject({ order: { model: "llama" } });
});

test("messages and pings are read as they were written", () => {
  expect(decodeLinkFrame(encodeTell("work", '{"ä":1}'))).toEqual({ type: "tell", topic: "work", text: '{"ä":1}' });
  expect(decodeLinkFrame(encodeTell("", ""))).toEqual({ type: "tell", topic: "", text: "" });
  expect(decodeLinkFrame(encodePing(0xffff_ffff))).toEqual({ type: "ping", number: 0xffff_ffff });
  expect(decodeLinkFrame(encodePong(3))).toEqual({ type: "pong", number: 3 });
});

test.each([0, 7, 15, 19, 255])("type %d is of another version, and no error", (type) => {
  expect(decodeLinkFrame(new Uint8Array([type, 0, 0, 0, 0, 0]))).toEqual({ type: "unknown" });
});

test("frames that workers have too mean the same", () => {
  for (const bytes of [encodeCredit(3, 4), encodeResponseData(3, Buffer.from("x"), true)])
    expect(decodeLinkFrame(bytes)).toEqual(decodeFrame(bytes));
});

test("a frame cut anywhere, or with any byte changed, never makes the decoder throw", () => {
  for (const whole of [encodeTell("work", "ü"), encodePing(1), encodeRequest(9, HEAD, Buffer.from("x"), false)]) {
    for (let at = 0; at < whole.length; at += 1) {
      expect(decodeLinkFrame(whole.subarray(0, at)).type).toBeString();
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = Uint8Array.from(whole);
        changed[at] = value;
        expect(decodeLinkFrame(changed).type).toBeString();
      }
    }
  }
});
