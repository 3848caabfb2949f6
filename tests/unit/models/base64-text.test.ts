import { expect, test } from "bun:test";
import fc from "fast-check";
import { Base64Text } from "../../../src/models/base64-text.ts";

const PREFIX = '{ "body":"';

test("bytes in any pieces become standard base64 between the two texts", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), fc.nat(100), (pieces, expected) => {
      const text = new Base64Text(PREFIX, expected);
      for (const piece of pieces) text.push(piece);
      const base64 = Buffer.concat(pieces).toString("base64");
      expect(Buffer.from(text.finish('","x":"é"}')).toString()).toBe(`${PREFIX}${base64}","x":"é"}`);
    }),
  );
});

test("every byte has its own two digits", () => {
  const text = new Base64Text(PREFIX, 0);
  const all = Uint8Array.from({ length: 3 * 256 }, (_, at) => (at % 3 === 0 ? at / 3 : 255 - Math.floor(at / 3)));
  text.push(all);
  expect(Buffer.from(text.finish("")).toString()).toBe(PREFIX + Buffer.from(all).toString("base64"));
});

test("pieces may be views, and are not kept", () => {
  const memory = new Uint8Array(1000).fill(7);
  const text = new Base64Text(PREFIX, 10);
  text.push(memory.subarray(3, 8));
  memory.fill(0);
  text.push(memory.subarray(0, 1));
  expect(Buffer.from(text.finish("")).toString()).toBe(PREFIX + Buffer.from([7, 7, 7, 7, 7, 0]).toString("base64"));
});

test("the size grows with what is pushed, not with what is expected", () => {
  const text = new Base64Text(PREFIX, 1_000_000);
  expect(text.bytes).toBe(PREFIX.length);
  text.push(new Uint8Array(300));
  expect(text.bytes).toBe(PREFIX.length + 400);
});
