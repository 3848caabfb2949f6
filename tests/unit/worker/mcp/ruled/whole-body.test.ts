import { expect, test } from "bun:test";
import { Room } from "../../../../../src/worker/mcp/ruled/room.ts";
import { readWhole } from "../../../../../src/worker/mcp/ruled/whole-body.ts";

const MIB = 1024 * 1024;

test.each([
  ["one piece", () => new Uint8Array(9 * MIB).fill(1)],
  [
    "a stream",
    () => {
      let pieces = 0;
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          pieces += 1;
          controller.enqueue(new Uint8Array(MIB).fill(pieces));
        },
      });
    },
  ],
])("of a body that is refused only the beginning is copied, in %s", async (_name, body) => {
  const room = new Room(100 * MIB);
  const whole = await readWhole(body(), { most: 8 * MIB, room });
  if (whole.kind !== "too_large") throw new Error(`it was ${whole.kind}`);
  expect(whole.begun.length).toBe(64 * 1024);
  expect(whole.begun.every((byte) => byte === 1)).toBe(true);
  // Nothing keeps the rest of the body in memory.
  expect(whole.begun.buffer.byteLength).toBeLessThan(MIB);
  expect(room.take(100 * MIB)).toBe(true);
});

test("a short body that finds no room is known from its beginning", async () => {
  const whole = await readWhole(new TextEncoder().encode('{"id":7}'), { most: 100, room: new Room(2) });
  expect(whole.kind === "no_room" && new TextDecoder().decode(whole.begun)).toBe('{"id":7}');
});
