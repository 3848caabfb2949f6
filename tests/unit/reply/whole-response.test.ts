import { expect, test } from "bun:test";
import { wholeResponse } from "../../../src/reply/whole-response.ts";

const piece = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(97);

test("a whole response has its pieces in order, whatever their number and size", async () => {
  for (const sizes of [[], [0], [5], [5, 0, 7], [600_000, 600_000], Array(300).fill(10_000), [2_000_000]]) {
    const pieces = sizes.map((bytes: number, at: number) => piece(bytes).fill(at % 256));
    const response = wholeResponse(200, new Headers(), pieces);
    expect(Buffer.from(await response.bytes()).equals(Buffer.concat(pieces))).toBe(true);
  }
});

test.each([204, 205, 304])("a whole response with status %d has no body", (status) => {
  expect(wholeResponse(status, new Headers(), [piece(3)]).body).toBeNull();
});

test("a large whole response is produced in chunks as its client reads", async () => {
  const pieces = Array.from({ length: 40 }, () => piece(100_000));
  const sizes: number[] = [];
  for await (const chunk of wholeResponse(200, new Headers(), pieces).body ?? []) sizes.push(chunk.length);
  expect(Math.max(...sizes)).toBeLessThan(500_000);
  expect(sizes.length).toBeGreaterThan(10);
});
