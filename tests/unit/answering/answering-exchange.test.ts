import { describe, expect, test } from "bun:test";
import { AnsweringExchange, type ExchangeOutcome } from "../../../src/answering/answering-exchange.ts";
import type { Answer, Opening } from "../../../src/answering/opening.ts";
import { decodeFrame, type Frame } from "../../../src/wire/frame.ts";
import { toAnswer, toFailure } from "../../../src/worker/backend.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const HEAD = { method: "POST", path: "/", headers: [] };
const EMPTY = new Uint8Array(0);

/** One exchange whose backend does as it is told, with the frames that it sent. */
async function exchange(opening: Opening, requestTimeoutMs = 60_000) {
  const frames: Frame[] = [];
  const clock = new FakeClock();
  const ended = Promise.withResolvers<ExchangeOutcome>();
  const answering = new AnsweringExchange({
    id: 1,
    outlet: {
      hasRoom: () => true,
      send: (bytes) => {
        const frame = decodeFrame(bytes);
        if (frame.type === "bad") throw new Error(frame.reason);
        frames.push(frame);
      },
    },
    window: 256 * 1024,
    backend: { open: () => opening },
    toFailure,
    clock,
    requestTimeoutMs,
    onEnded: (outcome) => ended.resolve(outcome),
  });
  answering.start(HEAD, EMPTY, true);
  return { frames, ended: ended.promise, clock, answering };
}

const answers = (answer: Answer): Opening => ({ kind: "ask", mayFallSilent: false, ask: async () => answer });
const types = (frames: readonly Frame[]): readonly string[] => frames.map(({ type }) => type);
const textOf = (frames: readonly Frame[]): string =>
  Buffer.concat(frames.flatMap((frame) => ("body" in frame ? [frame.body] : []))).toString();

test("an answer that is already in memory travels in one frame", async () => {
  const { frames, ended } = await exchange(answers({ status: 201, headers: [["a", "b"]], body: Buffer.from("hello") }));
  expect(await ended).toMatchObject({ kind: "complete", status: 201 });
  expect(frames).toMatchObject([{ type: "response", end: true, head: { status: 201, headers: [["a", "b"]] } }]);
  expect(textOf(frames)).toBe("hello");
});

test("a fetched answer of small known size is read whole and travels in one frame", async () => {
  const response = new Response("hello", { headers: { "content-length": "5", "content-type": "text/plain" } });
  const { frames, ended } = await exchange(answers(toAnswer(response)));
  await ended;
  expect(types(frames)).toEqual(["response"]);
  expect(textOf(frames)).toBe("hello");
});

test.each([
  ["without a length", {}],
  ["that is an event stream", { "content-length": "5", "content-type": "text/event-stream" }],
  ["that is large", { "content-length": "65537" }],
])("a fetched answer %s is streamed", async (_what, headers) => {
  let isRead = false;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (isRead) return controller.close();
      isRead = true;
      controller.enqueue(Buffer.from("hello"));
    },
  });
  const { frames, ended } = await exchange(answers(toAnswer(new Response(stream, { headers }))));
  expect(await ended).toMatchObject({ kind: "complete" });
  expect(textOf(frames)).toBe("hello");
  expect(frames.length).toBeGreaterThan(1);
});

test("a small answer that drips travels as its bytes come, so that each of them is progress at the other end", async () => {
  const sender = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
  const body = new ReadableStream<Uint8Array>({ start: (controller) => sender.resolve(controller) });
  const answer: Answer = { status: 200, headers: [["content-length", "6"]], body };
  const { frames, ended, clock, answering } = await exchange(answers(answer), 4000);
  const controller = await sender.promise;
  for (const letter of "abcdef") {
    clock.advance(1500);
    controller.enqueue(Buffer.from(letter));
    await Bun.sleep(0);
    expect([textOf(frames).at(-1), answering.lastProgressAt]).toEqual([letter, clock.elapsed()]);
  }
  controller.close();
  expect(await ended).toMatchObject({ kind: "complete" });
  expect(textOf(frames)).toBe("abcdef");
});

test("an answer without a body is complete with its head", async () => {
  const { frames, ended } = await exchange(answers(toAnswer(new Response(null, { status: 204 }))));
  await ended;
  expect(frames.at(-1)).toMatchObject({ end: true });
  expect(textOf(frames)).toBe("");
});

test("a failed request to the backend ends as its error means", async () => {
  const refused = Object.assign(new Error("no"), { code: "ECONNREFUSED" });
  const { frames, ended } = await exchange({ kind: "ask", mayFallSilent: false, ask: () => Promise.reject(refused) });
  expect(await ended).toMatchObject({ kind: "broken", code: "upstream_unreachable" });
  expect(frames).toMatchObject([{ type: "reset", code: "upstream_unreachable" }]);
});

test("a body that breaks off is not reported as an unreachable backend", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(Object.assign(new Error("no"), { code: "ECONNREFUSED" })),
  });
  const { ended } = await exchange(answers(toAnswer(new Response(broken))));
  expect(await ended).toMatchObject({ kind: "broken", code: "upstream_error" });
});

test.each([
  ["status", { status: 101, headers: [] }],
  ["head", { status: 200, headers: [["a", "b".repeat(1024 * 1024)] as const] }],
])("an answer whose %s no frame can carry aborts the exchange", async (_what, head) => {
  const { ended } = await exchange(answers({ ...head, body: EMPTY }));
  expect(await ended).toMatchObject({ kind: "broken", code: "upstream_error" });
});

test("a backend that is silent for too long is aborted", async () => {
  let signal: AbortSignal | undefined;
  const never: Opening = {
    kind: "ask",
    mayFallSilent: false,
    ask: (_body, given) => {
      signal = given;
      return new Promise(() => {});
    },
  };
  const { ended, clock } = await exchange(never, 1000);
  clock.advance(999);
  expect(signal?.aborted).toBe(false);
  clock.advance(1);
  expect(await ended).toMatchObject({ kind: "broken", code: "timeout" });
  expect(signal?.aborted).toBe(true);
});

describe("the end of listening", () => {
  const body = (): ReadableStream<Uint8Array> =>
    new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from("data: 1\n\n")) });
  const streaming = (contentType: string, isListening: boolean): Opening => ({
    kind: "ask",
    mayFallSilent: true,
    isListening,
    ask: async () => toAnswer(new Response(body(), { headers: { "content-type": contentType } })),
  });

  test("completes an event stream that only listens", async () => {
    const { frames, ended, answering } = await exchange(streaming("text/event-stream", true));
    await Bun.sleep(5);
    answering.endListening();
    expect(await ended).toMatchObject({ kind: "complete", status: 200 });
    expect(textOf(frames)).toBe("data: 1\n\n");
    expect(frames.at(-1)).toMatchObject({ end: true });
  });

  test("is draining for a request that is not answered yet", async () => {
    const never: Opening = { kind: "ask", mayFallSilent: true, isListening: true, ask: () => new Promise(() => {}) };
    const { frames, ended, answering } = await exchange(never);
    answering.endListening();
    expect(await ended).toMatchObject({ kind: "broken", code: "draining" });
    expect(frames).toMatchObject([{ type: "reset", code: "draining" }]);
  });

  test.each([
    ["a call that answers with events", "text/event-stream", false],
    ["an answer that is no event stream", "text/plain", true],
  ])("leaves %s alone", async (_what, contentType, isListening) => {
    const { frames, answering } = await exchange(streaming(contentType, isListening));
    await Bun.sleep(5);
    answering.endListening();
    expect(frames.some((frame) => frame.type === "reset" || ("end" in frame && frame.end))).toBe(false);
    answering.handleLost();
  });
});
