import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  bodyRoom,
  decodeFrame,
  encodeCredit,
  encodeRequest,
  encodeRequestData,
  encodeReset,
  encodeResponse,
  encodeResponseData,
  MAX_DATA_BYTES,
  MAX_EXCHANGE_ID,
  MAX_FRAME_BYTES,
} from "../../../src/wire/frame.ts";
import { isHeaderPairs } from "../../../src/wire/heads.ts";
import { times } from "../../support/times.ts";

const REQUEST = { method: "POST", path: "/chat/completions", headers: [["a", "b"]] } as const;
const RESPONSE = { status: 200, headers: [["a", "b"]] } as const;

/** Every character that a header's bytes could be, the forbidden ones among them. */
const latin1 = fc.integer({ min: 0, max: 0x101 }).map((code) => String.fromCharCode(code));

/** A frame whose head is whatever a hostile peer writes there. */
function withHead(type: number, head: unknown, body = new Uint8Array(0)): Uint8Array {
  const text = Buffer.from(typeof head === "string" ? head : JSON.stringify(head));
  const frame = Buffer.alloc(10 + text.length + body.length);
  frame[0] = type;
  frame.writeUInt32BE(7, 2);
  frame.writeUInt32BE(text.length, 6);
  frame.set(text, 10);
  frame.set(body, 10 + text.length);
  return frame;
}

test.each([
  ["a request", encodeRequest(9, REQUEST, Buffer.from("body"), true), 10 + JSON.stringify(REQUEST).length],
  ["a response", encodeResponse(9, RESPONSE, Buffer.from("body"), true), 10 + JSON.stringify(RESPONSE).length],
  ["request data", encodeRequestData(9, Buffer.from("body"), true), 6],
  ["response data", encodeResponseData(9, Buffer.from("body"), true), 6],
])("%s cut before its body is bad; cut inside it, it is the same frame with fewer bytes", (_name, frame, headEnd) => {
  for (let length = 0; length < frame.length; length += 1) {
    const cut = decodeFrame(frame.subarray(0, length));
    if (length < headEnd) expect(cut.type).toBe("bad");
    else expect(cut).toMatchObject({ id: 9, end: true, body: Buffer.from("body").subarray(0, length - headEnd) });
  }
});

test.each([
  ["a credit", encodeCredit(9, 1234)],
  ["a reset", encodeReset(9, "timeout", "too late")],
])("%s is bad at every length except its own", (_name, frame) => {
  for (let length = 0; length < frame.length; length += 1)
    expect(decodeFrame(frame.subarray(0, length)).type).toBe("bad");
  expect(decodeFrame(Buffer.concat([frame, Buffer.from("x")])).type).toBe("bad");
});

test("none of 100,000 random messages makes the decoder throw, and every refusal fits in a close reason", () => {
  let seed = 0x5eed;
  const random = (): number => {
    // xorshift32: the same bytes on every run.
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
  const seen = new Set<string>();
  for (let count = 0; count < 100_000; count += 1) {
    const bytes = new Uint8Array(random() % 64);
    for (let at = 0; at < bytes.length; at += 1) bytes[at] = random();
    // Most bytes are no type; give the deeper decoders their share, with head lengths that may fit.
    if (bytes.length > 0 && count % 2 === 0) bytes[0] = 1 + (random() % 6);
    if (bytes.length > 9 && count % 4 === 0) bytes.set([0, 0, 0, random() % 64], 6);
    const frame = decodeFrame(bytes);
    seen.add(frame.type);
    if (frame.type === "bad") expect(Buffer.byteLength(frame.reason)).toBeLessThanOrEqual(123);
  }
  expect([...seen].sort()).toEqual(["bad", "credit", "request_data", "response_data"]);
});

test("one byte changed anywhere in a frame never makes the decoder throw", () => {
  const frames = [
    encodeRequest(9, REQUEST, Buffer.from("x"), false),
    encodeResponse(9, RESPONSE, Buffer.from("x"), false),
  ];
  for (const frame of [...frames, encodeReset(9, "canceled", "ü")]) {
    for (let at = 0; at < frame.length; at += 1) {
      for (let value = 0; value < 256; value += 1) {
        const changed = Uint8Array.from(frame);
        changed[at] = value;
        expect(decodeFrame(changed).type).toBeString();
      }
    }
  }
});

test.each([0, 7, 8, 255])("type %d is unknown and bad", (type) => {
  expect(decodeFrame(new Uint8Array([type, 0, 0, 0, 0, 1]))).toEqual({
    type: "bad",
    reason: `unknown frame type ${type}`,
  });
});

test("unknown flags change nothing", () => {
  const frame = encodeResponseData(3, Buffer.from("x"), false);
  frame[1] = 0xfe;
  expect(decodeFrame(frame)).toMatchObject({ type: "response_data", end: false });
  frame[1] = 0xff;
  expect(decodeFrame(frame)).toMatchObject({ type: "response_data", end: true });
});

test("the largest id and the largest credit stay positive numbers", () => {
  expect(decodeFrame(encodeCredit(MAX_EXCHANGE_ID, 0xffff_ffff))).toEqual({
    type: "credit",
    id: 4_294_967_295,
    bytes: 4_294_967_295,
  });
});

test("a body next to the largest head fills the frame exactly, and one byte more exceeds it", () => {
  const room = bodyRoom(REQUEST);
  expect(decodeFrame(encodeRequest(1, REQUEST, new Uint8Array(room), true))).toMatchObject({ type: "request" });
  expect(decodeFrame(encodeRequest(1, REQUEST, new Uint8Array(room + 1), true))).toMatchObject({ type: "bad" });
  expect(encodeRequestData(1, new Uint8Array(MAX_DATA_BYTES), true).length).toBe(MAX_FRAME_BYTES);
  expect(bodyRoom({ status: 200, headers: [["a", "x".repeat(MAX_FRAME_BYTES)]] })).toBeLessThan(0);
});

test.each([
  ["that is no JSON", "{"],
  ["that is null", null],
  ["that is an array", []],
  ["without a method", { path: "/x", headers: [] }],
  ["with a method that is no token", { method: "GE T", path: "/x", headers: [] }],
  ["with a method that splits the line", { method: "GET /\r\nx: y", path: "/x", headers: [] }],
  ["with an empty method", { method: "", path: "/x", headers: [] }],
  ["without a path", { method: "GET", headers: [] }],
  ["with a path that is a whole URL", { method: "GET", path: "http://elsewhere/", headers: [] }],
  ["with an empty path", { method: "GET", path: "", headers: [] }],
  ["without headers", { method: "GET", path: "/x" }],
  ["with a negative timeout", { method: "GET", path: "/x", headers: [], timeout_ms: -1 }],
  ["with a timeout of text", { method: "GET", path: "/x", headers: [], timeout_ms: "1" }],
  ["with a stream that is no boolean", { method: "GET", path: "/x", headers: [], stream: 1 }],
])("a request head %s is bad", (_name, head) => {
  expect(decodeFrame(withHead(1, head))).toEqual({ type: "bad", reason: "bad request head" });
});

test.each([
  ["that is no JSON", "nonsense"],
  ["that is null", null],
  ["that is a number", 200],
  ["with status 100", { status: 100, headers: [] }],
  ["with status 199", { status: 199, headers: [] }],
  ["with status 600", { status: 600, headers: [] }],
  ["with status 200.5", { status: 200.5, headers: [] }],
  ["with a name past ASCII", { status: 200, headers: [["naïve", "x"]] }],
  ["with a name that holds a colon", { status: 200, headers: [["a:b", "x"]] }],
  ["with a name that holds a space", { status: 200, headers: [["a b", "x"]] }],
  ["with a lone CR in a value", { status: 200, headers: [["a", "b\rc"]] }],
  ["with a lone LF in a value", { status: 200, headers: [["a", "b\nc"]] }],
  ["with a DEL in a value", { status: 200, headers: [["a", "b\u007f"]] }],
  ["with a value that is a number", { status: 200, headers: [["a", 1]] }],
  ["with a value that is null", { status: 200, headers: [["a", null]] }],
  ["with a header of one", { status: 200, headers: [["a"]] }],
])("a response head %s is bad", (_name, head) => {
  expect(decodeFrame(withHead(3, head))).toEqual({ type: "bad", reason: "bad response head" });
});

test("a head that is not UTF-8 is bad", () => {
  const frame = withHead(3, { status: 200, headers: [["a", "xx"]] });
  frame.set([0xc3, 0x28], Buffer.from(frame).indexOf("xx"));
  expect(decodeFrame(frame)).toEqual({ type: "bad", reason: "bad response head" });
});

test("unknown fields of a head are dropped, and known ones are kept", () => {
  const head = { ...RESPONSE, trailers: [["x", "y"]], __proto__: { status: 500 } };
  expect(decodeFrame(withHead(3, head))).toMatchObject({
    type: "response",
    head: { status: 200, headers: [["a", "b"]] },
  });
});

test("a request head whose metered is no change to a body asks for nothing", () => {
  const head = { method: "POST", path: "/x", headers: [] };
  const edit = { at: 1, end: 1, text: "" };
  const others = [{}, { ...edit, end: 0 }, { ...edit, at: -1 }, { ...edit, at: 0.5 }, { ...edit, text: 1 }];
  for (const metered of [true, null, [], "x", ...others, { ...edit, text: "x".repeat(2000) }])
    expect(decodeFrame(withHead(1, { ...head, metered }))).toEqual(decodeFrame(withHead(1, head)));
});

test("every accepted header pair is accepted and returned unchanged by the runtime's Headers", () => {
  const name = fc.oneof(fc.stringMatching(/^[a-z-]{1,8}$/), fc.string({ unit: latin1, maxLength: 3 }));
  let taken = 0;
  fc.assert(
    fc.property(name, fc.string({ unit: latin1, maxLength: 4 }), (field, value) => {
      if (!isHeaderPairs([[field, value]])) return;
      taken += 1;
      const headers = new Headers();
      headers.append(field, value);
      expect(headers.get(field)).toBe(value.replace(/^[\t ]+|[\t ]+$/g, ""));
    }),
    { numRuns: times(5000) },
  );
  expect(taken).toBeGreaterThan(500);
});

test.each([
  ["no message", '{"code":"timeout"}', { code: "timeout", message: "" }],
  ["a message that is no text", '{"code":"timeout","message":5}', { code: "timeout", message: "" }],
  ["no code", '{"message":"x"}', { code: "internal", message: "x" }],
  ["a code from an object's own ancestry", '{"code":"constructor"}', { code: "internal", message: "" }],
])("a reset with %s still ends its exchange", (_name, text, expected) => {
  const frame = Buffer.concat([encodeReset(7, "canceled", "").subarray(0, 6), Buffer.from(text)]);
  expect(decodeFrame(frame)).toEqual({ type: "reset", id: 7, ...expected } as ReturnType<typeof decodeFrame>);
});

test("a reset's message is cut at 500 characters, by both ends", () => {
  const sent = decodeFrame(encodeReset(7, "internal", "x".repeat(10_000)));
  expect(sent).toMatchObject({ message: "x".repeat(500) });
  const text = Buffer.from(JSON.stringify({ code: "internal", message: "y".repeat(10_000) }));
  const received = decodeFrame(Buffer.concat([encodeReset(7, "internal", "").subarray(0, 6), text]));
  expect(received).toMatchObject({ message: "y".repeat(500) });
});

test("a decoded body is a view, so a frame of a mebibyte is not copied", () => {
  const frame = encodeResponseData(1, new Uint8Array(1000), false);
  const decoded = decodeFrame(frame);
  expect(decoded.type === "response_data" && decoded.body.buffer).toBe(frame.buffer);
});
