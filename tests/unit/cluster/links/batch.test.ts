import { expect, test } from "bun:test";
import fc from "fast-check";
import { Batch, eachFrame } from "../../../../src/cluster/links/batch.ts";
import { encodeCredit, encodeRequestData, encodeResponseData } from "../../../../src/wire/frame.ts";
import { times } from "../../../support/times.ts";

function start() {
  const messages: Uint8Array[] = [];
  const batch = new Batch((message) => void messages.push(Uint8Array.from(message)));
  return { batch, messages };
}

function framesOf(messages: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const message of messages)
    expect(
      eachFrame(message, (frame) => {
        frames.push(frame);
        return true;
      }),
    ).toBe(true);
  return frames;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("the frames of one turn leave in one message, in order", async () => {
  const { batch, messages } = start();
  batch.frame(Buffer.from("one"));
  batch.responseData(3, Buffer.from("two"), false);
  batch.credit(5, 7);
  batch.requestData(7, Buffer.from("four"), true);
  expect(messages).toHaveLength(0);
  await turn();
  expect(messages).toHaveLength(1);
  expect(framesOf(messages).map((frame) => Buffer.from(frame))).toEqual(
    [
      Buffer.from("one"),
      encodeResponseData(3, Buffer.from("two"), false),
      encodeCredit(5, 7),
      encodeRequestData(7, Buffer.from("four"), true),
    ].map((frame) => Buffer.from(frame)),
  );
});

test("a message leaves before the end of the turn once it has 64 KiB", () => {
  const { batch, messages } = start();
  for (let count = 0; count < 64; count += 1) batch.responseData(1, new Uint8Array(1024), false);
  expect(messages.length).toBeGreaterThan(0);
  for (const { length } of messages) expect(length).toBeLessThan(70_000);
});

test("frames of the next turn leave in the next message", async () => {
  const { batch, messages } = start();
  for (let count = 0; count < 3; count += 1) {
    batch.credit(count + 1, 1);
    await turn();
  }
  expect(messages).toHaveLength(3);
});

test("a closed batch sends nothing, not even what waited", async () => {
  const { batch, messages } = start();
  batch.credit(1, 1);
  batch.close();
  batch.frame(Buffer.from("x"));
  batch.responseData(1, Buffer.from("x"), false);
  batch.credit(1, 1);
  batch.flush();
  await turn();
  expect(messages).toHaveLength(0);
});

test("frames of any size arrive as they were given", () => {
  const sizes = fc.array(
    fc.oneof(fc.nat(300), fc.integer({ min: 60_000, max: 70_000 }), fc.integer({ min: 250_000, max: 1_000_000 })),
    {
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(sizes, fc.boolean(), (lengths, isWhole) => {
      const { batch, messages } = start();
      const bodies = lengths.map((length, at) => new Uint8Array(length).fill(at + 1));
      for (const body of bodies) {
        if (isWhole) batch.frame(encodeResponseData(9, body, false));
        else batch.responseData(9, body, false);
      }
      batch.flush();
      const frames = framesOf(messages);
      expect(frames.map(({ length }) => length)).toEqual(bodies.map(({ length }) => length + 6));
      for (const [at, frame] of frames.entries())
        expect(Buffer.compare(frame.subarray(6), bodies[at] ?? Buffer.alloc(0))).toBe(0);
    }),
    { numRuns: times(30) },
  );
});

test("a message that ends inside a length or a frame is found out", () => {
  const { batch, messages } = start();
  batch.frame(Buffer.from("hello"));
  batch.frame(Buffer.from("you"));
  batch.flush();
  const [message = new Uint8Array(0)] = messages;
  const whole = new Set([0, 9, message.length]);
  for (let length = 0; length <= message.length; length += 1)
    expect(eachFrame(message.subarray(0, length), () => true)).toBe(whole.has(length));
});

test("reading stops when the reader wants no more", () => {
  const { batch, messages } = start();
  for (const text of ["a", "b", "c"]) batch.frame(Buffer.from(text));
  batch.flush();
  const seen: string[] = [];
  eachFrame(messages[0] ?? new Uint8Array(0), (frame) => {
    seen.push(Buffer.from(frame).toString());
    return seen.length < 2;
  });
  expect(seen).toEqual(["a", "b"]);
});
