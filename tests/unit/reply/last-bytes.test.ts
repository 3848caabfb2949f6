import { expect, test } from "bun:test";
import fc from "fast-check";
import { LastBytes } from "../../../src/reply/last-bytes.ts";

const KEPT = 16 * 1024;

test("the last 16 KiB are kept and all others dropped in order, however the bytes are cut into pieces", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 40_000 })), { maxLength: 12 }), (sizes) => {
      const whole = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 0)).map((_, at) => at % 251);
      const dropped: Uint8Array[] = [];
      const last = new LastBytes((bytes) => void dropped.push(Uint8Array.from(bytes)));
      let at = 0;
      for (const size of sizes) {
        last.push(whole.subarray(at, at + size));
        at += size;
      }
      expect(Buffer.from(last.bytes).equals(whole.subarray(-KEPT))).toBe(true);
      expect(Buffer.concat([...dropped, last.kept]).equals(whole)).toBe(true);
      expect(last.isCut).toBe(whole.length > KEPT);
    }),
  );
});

test("the end of a large piece is copied, so that the piece itself can go", () => {
  const last = new LastBytes();
  const piece = Buffer.alloc(1_000_000);
  last.push(piece);
  expect(last.kept.length).toBe(KEPT);
  expect(last.kept.buffer).not.toBe(piece.buffer);
});
