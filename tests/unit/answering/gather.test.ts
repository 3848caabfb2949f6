import { expect, test } from "bun:test";
import { gather } from "../../../src/answering/gather.ts";

const encoder = new TextEncoder();

/** A body whose pieces the test sends, each at a time of its own. */
function rig(length: number) {
  let now = 0;
  let pieces = 0;
  const state = { canceled: undefined as unknown };
  const sender = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => sender.resolve(controller),
    cancel: (reason) => {
      state.canceled = reason;
    },
  });
  const onPiece = (): void => {
    pieces += 1;
  };
  const gathered = gather(body, { length, elapsed: () => now, onPiece });
  return {
    gathered,
    state,
    seen: () => pieces,
    async send(text: string, at: number): Promise<void> {
      now = at;
      (await sender.promise).enqueue(encoder.encode(text));
      await Bun.sleep(0);
    },
    close: async () => (await sender.promise).close(),
    fail: async (error: Error) => (await sender.promise).error(error),
  };
}

const textOf = async (body: Uint8Array | ReadableStream<Uint8Array>): Promise<string> =>
  // The type asks for a view of plain memory, and these are.
  new Response(body as ReadableStream<Uint8Array>).text();

test("a body is whole with its last declared byte, without its sender's end", async () => {
  const { gathered, send, seen } = rig(5);
  await send("he", 0);
  await send("llo", 10);
  const body = await gathered;
  expect(body).toBeInstanceOf(Uint8Array);
  expect([await textOf(body), seen()]).toEqual(["hello", 2]);
});

test("a body that ends before its declared length is what has come", async () => {
  const { gathered, send, close } = rig(5);
  await send("he", 0);
  await close();
  expect(await textOf(await gathered)).toBe("he");
});

test("a body that takes long becomes a stream of what has come and of the rest, and loses nothing", async () => {
  const { gathered, send, close } = rig(5);
  await send("h", 0);
  await send("e", 1500);
  const body = await gathered;
  expect(body).toBeInstanceOf(ReadableStream);
  await send("llo", 3000);
  await close();
  expect(await textOf(body)).toBe("hello");
});

test("a body that breaks off fails, while it is gathered and afterwards", async () => {
  const early = rig(5);
  const broken = new Error("broken");
  await early.send("h", 0);
  await early.fail(broken);
  expect(await early.gathered.catch((error: unknown) => error)).toBe(broken);
  const late = rig(5);
  await late.send("h", 1000);
  const body = await late.gathered;
  await late.fail(broken);
  expect(await textOf(body).catch((error: unknown) => error)).toBe(broken);
});

test("giving up the stream gives up the body", async () => {
  const { gathered, send, state } = rig(5);
  await send("h", 1000);
  const body = await gathered;
  if (body instanceof ReadableStream) await body.cancel("enough");
  expect(state.canceled).toBe("enough");
});
