import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeFrame,
  encodeCredit,
  encodeRequest,
  encodeRequestData,
  encodeReset,
  encodeResponse,
  encodeResponseData,
  type Frame,
  MAX_EXCHANGE_ID,
  MAX_FRAME_BYTES,
  RESET_CODES,
} from "../../src/wire/frame.ts";
import { isHeaderPairs } from "../../src/wire/heads.ts";
import { hostileText, mutated } from "../support/hostile.ts";
import { times } from "../support/times.ts";

// Native frames: one end decodes what the other encoded, and invalid frames do no harm.

/** A close reason's most bytes (RFC 6455 §5.5 less the code). */
const MAX_REASON_BYTES = 123;

const id = fc.nat({ max: MAX_EXCHANGE_ID });
const body = fc.uint8Array({ maxLength: 200 });
const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const fieldText = fc.string({
  unit: fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff })).map(String.fromCharCode),
  maxLength: 20,
});
const headers = fc.array(fc.tuple(token, fieldText), { maxLength: 5 });
const responseHead = fc.record(
  { status: fc.integer({ min: 200, max: 599 }), headers, metered: fc.constant(true) },
  { requiredKeys: ["status", "headers"] },
);
const requestHead = fc.record(
  {
    kind: fc.stringMatching(/^[a-z][a-z0-9_]{0,31}$/),
    method: token,
    path: hostileText.map((text) => `/${text.toWellFormed()}`),
    headers,
    timeout_ms: fc.nat(),
    resource: fieldText,
    stream: fc.boolean(),
    metered: fc
      .tuple(fc.nat(), fc.nat(), fc.string({ unit: "binary", maxLength: 50 }))
      .map(([at, more, text]) => ({ at, end: at + more, text: text.toWellFormed() })),
  },
  { requiredKeys: ["method", "path", "headers"] },
);
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant("request" as const), id, end: fc.boolean(), head: requestHead, body }),
  fc.record({ type: fc.constant("response" as const), id, end: fc.boolean(), head: responseHead, body }),
  fc.record({ type: fc.constantFrom("request_data" as const, "response_data" as const), id, end: fc.boolean(), body }),
  fc.record({ type: fc.constant("credit" as const), id, bytes: fc.nat({ max: 0xffff_ffff }) }),
  fc.record({
    type: fc.constant("reset" as const),
    id,
    code: fc.constantFrom(...RESET_CODES),
    message: fc.string({ unit: "binary", maxLength: 500 }),
  }),
);

function encode(given: Frame): Uint8Array {
  switch (given.type) {
    case "request":
      return encodeRequest(given.id, given.head, given.body, given.end);
    case "request_data":
      return encodeRequestData(given.id, given.body, given.end);
    case "response":
      return encodeResponse(given.id, given.head, given.body, given.end);
    case "response_data":
      return encodeResponseData(given.id, given.body, given.end);
    case "credit":
      return encodeCredit(given.id, given.bytes);
    case "reset":
      return encodeReset(given.id, given.code, given.message);
    default:
      return given satisfies never;
  }
}

/** Checks properties of any result of the decoder. */
function hold(bytes: Uint8Array): void {
  const said = decodeFrame(bytes);
  if (said.type === "bad") {
    expect(said.reason).not.toBe("");
    expect(Buffer.byteLength(said.reason)).toBeLessThanOrEqual(MAX_REASON_BYTES);
    return;
  }
  expect(said.id).toBeWithin(0, MAX_EXCHANGE_ID + 1);
  if (said.type === "credit") expect(said.bytes).toBeWithin(0, 2 ** 32);
  if (said.type === "reset") {
    const codes: readonly string[] = RESET_CODES;
    expect(codes).toContain(said.code);
    expect(said.message.length).toBeLessThanOrEqual(500);
  }
  if ("body" in said) {
    // The body is a view within the input, whatever length was declared, so a peer cannot cause an allocation.
    expect(said.body.buffer).toBe(bytes.buffer);
    expect(said.body.byteOffset + said.body.length).toBe(bytes.byteOffset + bytes.length);
    expect(said.body.byteOffset).toBeGreaterThanOrEqual(bytes.byteOffset + 6);
  }
  if ("head" in said) expect(isHeaderPairs(said.head.headers)).toBe(true);
  // Decoding again gives the same result.
  expect(decodeFrame(encode(said))).toEqual(said);
}

describe("a native frame", () => {
  test("decodes to what was encoded", () => {
    fc.assert(
      fc.property(frame, (given) => {
        const heard = decodeFrame(encode(given));
        const same = "body" in given ? { ...given, body: Buffer.from(given.body) } : given;
        expect("body" in heard ? { ...heard, body: Buffer.from(heard.body) } : heard).toEqual(same);
      }),
      { numRuns: times(1500) },
    );
  });

  test("with changed or random bytes decodes to another frame or is bad, at no cost beyond its bytes", () => {
    const like = frame.chain((given) => mutated(encode(given)));
    fc.assert(
      fc.property(fc.oneof(like, fc.uint8Array({ maxLength: 80 })), (bytes) => hold(bytes)),
      { numRuns: times(3000) },
    );
  });

  test("that declares a longer head than it has is bad", () => {
    const type = fc.constantFrom(1, 3);
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 0xffff_ffff }), (first, rest, declared) => {
        const bytes = Buffer.alloc(10 + rest.length);
        bytes[0] = first;
        bytes.writeUInt32BE(7, 2);
        bytes.writeUInt32BE(declared, 6);
        bytes.set(rest, 10);
        if (declared > rest.length) expect(decodeFrame(bytes).type).toBe("bad");
        hold(bytes);
      }),
      { numRuns: times(1500) },
    );
  });

  test("above the size limit is bad, whatever it contains", () => {
    const memory = new Uint8Array(MAX_FRAME_BYTES + 10);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 10 }), fc.integer({ min: 1, max: 10 }), (start, over) => {
        memory.set(start);
        expect(decodeFrame(memory.subarray(0, MAX_FRAME_BYTES + over)).type).toBe("bad");
      }),
      { numRuns: times(50) },
    );
  });
});
