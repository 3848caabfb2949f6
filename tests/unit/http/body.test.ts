import { expect, test } from "bun:test";
import { Fault } from "../../../src/errors.ts";
import { ClientGone, readBody } from "../../../src/http/body.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { turn } from "../../support/turn.ts";

const SMALL = 64 * 1024;

/** A request with a stream of the test as its body, and a record of how it was read. */
function streamed(pieces: readonly Uint8Array[], { length, ends = true }: { length?: string; ends?: boolean } = {}) {
  const source = { pulls: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[source.pulls];
        source.pulls += 1;
        if (piece) controller.enqueue(piece);
        else if (ends) controller.close();
        else return new Promise<void>(() => {});
        return undefined;
      },
      cancel() {
        source.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  const headers: Record<string, string> = length === undefined ? {} : { "content-length": length };
  return { source, request: new Request("http://x/", { method: "POST", body, headers }) };
}

function limits(maxBytes: number) {
  const clock = new FakeClock();
  const state = { lifted: 0 };
  const liftIdleTimeout = (): void => {
    state.lifted += 1;
  };
  return { clock, state, limits: { maxBytes, timeoutMs: 60_000, clock, liftIdleTimeout } };
}

/** The code of the fault that a read ends with. */
async function failure(read: Promise<unknown>): Promise<unknown> {
  try {
    await read;
  } catch (error) {
    return error instanceof Fault ? error.code : error;
  }
  return "no failure";
}

test("a body within the limit is read whole, declared or not", async () => {
  const text = "x".repeat(1000);
  const declared = new Request("http://x/", { method: "POST", body: text, headers: { "content-length": "1000" } });
  expect(Buffer.from(await readBody(declared, limits(1000).limits)).toString()).toBe(text);
  const { request } = streamed([Buffer.from(text.slice(0, 300)), Buffer.from(text.slice(300))]);
  expect(Buffer.from(await readBody(request, limits(1000).limits)).toString()).toBe(text);
});

test("no body is an empty body", async () => {
  expect((await readBody(new Request("http://x/", { method: "POST" }), limits(10).limits)).length).toBe(0);
  expect((await readBody(streamed([]).request, limits(10).limits)).length).toBe(0);
});

test("a body whose declared length exceeds the limit is refused before a byte is read", async () => {
  const { request, source } = streamed([new Uint8Array(5)], { length: "11" });
  const { limits: given, state } = limits(10);
  expect(await failure(readBody(request, given))).toBe("request_too_large");
  expect(source.pulls).toBe(0);
  expect(state.lifted).toBe(0);
});

test("the refusal of a large body names the limit", async () => {
  const { request } = streamed([], { length: "11" });
  const error = await readBody(request, limits(10).limits).catch((fault: unknown) => fault);
  expect(error instanceof Fault && error.message).toContain("10 bytes");
});

test("a body of unknown length is cut as soon as it exceeds the limit, and its source is cancelled", async () => {
  const { request, source } = streamed([new Uint8Array(10), new Uint8Array(1), new Uint8Array(1000)], { ends: false });
  expect(await failure(readBody(request, limits(10).limits))).toBe("request_too_large");
  expect(source.pulls).toBe(2);
  expect(source.cancelled).toBe(true);
});

test("a body of unknown length is accepted up to exactly the limit", async () => {
  const { request } = streamed([new Uint8Array(6), new Uint8Array(4)]);
  expect((await readBody(request, limits(10).limits)).length).toBe(10);
});

test.each(["abc", "-1", "1e3", "0x10", "5, 5", "1.5"])(
  "a declared length of %p is ignored, and the body is counted and cut at the limit",
  async (length) => {
    const { request } = streamed([new Uint8Array(2000)], { length });
    expect(await failure(readBody(request, limits(1000).limits))).toBe("request_too_large");
  },
);

test("a stalled body fails at the timeout, and its source is cancelled", async () => {
  const { request, source } = streamed([new Uint8Array(5)], { ends: false });
  const { clock, limits: given } = limits(1000);
  const read = failure(readBody(request, given));
  await turn();
  expect(clock.pending).toBe(1);
  clock.advance(59_999);
  expect(await Promise.race([read, Promise.resolve("waits")])).toBe("waits");
  clock.advance(1);
  expect(await read).toBe("request_timeout");
  await turn();
  expect(source.cancelled).toBe(true);
});

test("a body that arrives in time leaves no timer behind", async () => {
  const { request } = streamed([new Uint8Array(5)]);
  const { clock, limits: given } = limits(1000);
  await readBody(request, given);
  expect(clock.pending).toBe(0);
});

test("a client that disconnects during its upload causes no fault", async () => {
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Error("connection reset"));
    },
  });
  const { clock, limits: given } = limits(1000);
  const error = await failure(readBody(new Request("http://x/", { method: "POST", body }), given));
  expect(error).toBeInstanceOf(ClientGone);
  expect(error instanceof ClientGone && error.cause).toMatchObject({ message: "connection reset" });
  expect(clock.pending).toBe(0);
});

test("a small declared body keeps the listener's idle timeout; a large or undeclared one lifts it first", async () => {
  const read = async (size: number, isDeclared: boolean): Promise<number> => {
    const headers: Record<string, string> = isDeclared ? { "content-length": String(size) } : {};
    const { limits: given, state } = limits(1024 * 1024);
    const body = isDeclared ? new Uint8Array(size) : streamed([new Uint8Array(size)]).request.body;
    await readBody(new Request("http://x/", { method: "POST", body, headers }), given);
    return state.lifted;
  };
  expect(await read(SMALL, true)).toBe(0);
  expect(await read(SMALL + 1, true)).toBe(1);
  expect(await read(1, false)).toBe(1);
});
