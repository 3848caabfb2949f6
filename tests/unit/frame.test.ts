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
  MAX_FRAME_BYTES,
  RESET_CODES,
} from "../../src/tunnel/frame.ts";

const id = fc.integer({ min: 0, max: 0xffff_ffff });
const body = fc.uint8Array({ maxLength: 2000 });
const name = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}$/);
const value = fc.stringMatching(/^[\t\x20-\x7e]{0,40}$/);
const headers = fc.array(fc.tuple(name, value), { maxLength: 8 });
const path = fc.string({ unit: "grapheme" }).map((text) => `/${text}`);

test("every frame decodes to what was encoded", () => {
  fc.assert(
    fc.property(
      id,
      body,
      fc.boolean(),
      headers,
      path,
      fc.integer({ min: 200, max: 599 }),
      (exchange, bytes, end, pairs, where, status) => {
        const request = { method: "POST", path: where, headers: pairs, timeout_ms: 5, stream: true };
        const response = { status, headers: pairs };
        expect(decodeFrame(encodeRequest(exchange, request, bytes, end))).toEqual({
          type: "request",
          id: exchange,
          end,
          head: request,
          body: Buffer.from(bytes),
        });
        expect(decodeFrame(encodeResponse(exchange, response, bytes, end))).toEqual({
          type: "response",
          id: exchange,
          end,
          head: response,
          body: Buffer.from(bytes),
        });
        expect(decodeFrame(encodeRequestData(exchange, bytes, end))).toEqual({
          type: "request_data",
          id: exchange,
          end,
          body: Buffer.from(bytes),
        });
        expect(decodeFrame(encodeResponseData(exchange, bytes, end))).toEqual({
          type: "response_data",
          id: exchange,
          end,
          body: Buffer.from(bytes),
        });
      },
    ),
  );
});

test("credits and resets decode to what was encoded", () => {
  fc.assert(
    fc.property(
      id,
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.constantFrom(...RESET_CODES),
      fc.string({ maxLength: 500 }),
      (exchange, bytes, code, message) => {
        expect(decodeFrame(encodeCredit(exchange, bytes))).toEqual({ type: "credit", id: exchange, bytes });
        expect(decodeFrame(encodeReset(exchange, code, message))).toEqual({
          type: "reset",
          id: exchange,
          code,
          message,
        });
      },
    ),
  );
});

test("a header is six bytes: type, flags, id in network order", () => {
  expect([...encodeResponseData(0x01020304, new Uint8Array([9]), true)]).toEqual([4, 1, 1, 2, 3, 4, 9]);
  expect([...encodeCredit(5, 65536)]).toEqual([5, 0, 0, 0, 0, 5, 0, 1, 0, 0]);
});

test("a frame cut at any byte is bad, or shorter data, and never a throw", () => {
  const frames = [
    encodeRequest(1, { method: "POST", path: "/x", headers: [["a", "b"]] }, new Uint8Array([1, 2, 3]), true),
    encodeResponse(1, { status: 200, headers: [["a", "b"]] }, new Uint8Array([1, 2, 3]), true),
    encodeCredit(1, 5),
    encodeReset(1, "timeout", "late"),
  ];
  for (const frame of frames) {
    const whole = decodeFrame(frame);
    for (let end = 0; end < frame.length; end += 1) {
      const cut = decodeFrame(frame.subarray(0, end));
      // What is cut behind the head is a shorter body; a shorter body cannot be told from a short one.
      if (cut.type !== "bad") expect(cut).toMatchObject({ type: whole.type, id: 1 });
      if (whole.type === "credit" || whole.type === "reset") expect(cut.type).toBe("bad");
    }
  }
});

test("garbage is bad or some frame, and never a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const frame = decodeFrame(bytes);
      expect(["bad", "request", "request_data", "response", "response_data", "credit", "reset"]).toContain(frame.type);
      if (frame.type === "bad") expect(Buffer.byteLength(frame.reason)).toBeLessThanOrEqual(123);
    }),
    { numRuns: 20_000 },
  );
});

test("a frame over the limit is bad; one at the limit is not", () => {
  expect(decodeFrame(encodeResponseData(1, new Uint8Array(MAX_FRAME_BYTES - 6), false)).type).toBe("response_data");
  expect(decodeFrame(encodeResponseData(1, new Uint8Array(MAX_FRAME_BYTES - 5), false)).type).toBe("bad");
  const head = { status: 200, headers: [["x", "ü".repeat(100)]] as [string, string][] };
  const room = bodyRoom(head);
  expect(encodeResponse(1, head, new Uint8Array(room), true).length).toBe(MAX_FRAME_BYTES);
});

test.each([
  ["a status below 200", { status: 101, headers: [] }],
  ["a status above 599", { status: 600, headers: [] }],
  ["a status that is text", { status: "200", headers: [] }],
  ["no headers", { status: 200 }],
  ["headers as an object", { status: 200, headers: { a: "b" } }],
  ["a header of three", { status: 200, headers: [["a", "b", "c"]] }],
  ["a line break in a value", { status: 200, headers: [["a", "b\r\nset-cookie: x=y"]] }],
  ["a zero byte in a value", { status: 200, headers: [["a", "\u0000"]] }],
  ["a line break in a name", { status: 200, headers: [["a\nb", "c"]] }],
  ["an empty name", { status: 200, headers: [["", "c"]] }],
  ["text past one byte in a value", { status: 200, headers: [["a", "\u2028"]] }],
])("a response head with %s is bad", (_name, head) => {
  const text = Buffer.from(JSON.stringify(head));
  const frame = Buffer.alloc(10 + text.length);
  frame[0] = 3;
  frame.writeUInt32BE(1, 2);
  frame.writeUInt32BE(text.length, 6);
  frame.set(text, 10);
  expect(decodeFrame(frame)).toEqual({ type: "bad", reason: "bad response head" });
});

test("a head length that lies is bad", () => {
  for (const length of [0xffff_ffff, 100, 0]) {
    const frame = Buffer.alloc(14);
    frame[0] = 3;
    frame.writeUInt32BE(length, 6);
    expect(decodeFrame(frame).type).toBe("bad");
  }
});

test("a reset code of a newer version still ends the exchange", () => {
  const frame = encodeReset(7, "internal", "");
  const text = Buffer.from('{"code":"from_the_future","message":"x"}');
  expect(decodeFrame(Buffer.concat([frame.subarray(0, 6), text]))).toEqual({
    type: "reset",
    id: 7,
    code: "internal",
    message: "x",
  });
});
