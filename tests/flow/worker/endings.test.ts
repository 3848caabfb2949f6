import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { SAMPLE_CHAT_MODEL, startSampleBackend } from "../../../src/demo/sample-backend.ts";
import { encodeRequest } from "../../../src/wire/frame.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { EVENTS, pieces, WorkerRig } from "../../support/worker-rig.ts";

const WINDOW = 256 * 1024;
let rig: WorkerRig;
beforeEach(() => {
  rig = new WorkerRig();
});
afterEach(() => rig.stop());

describe("ending an exchange", () => {
  test("a reset before the answer aborts the backend's request and is confirmed", async () => {
    const started = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const link = await rig.serve((request) => {
      request.signal.addEventListener("abort", () => aborted.resolve());
      started.resolve();
      return new Promise<Response>(() => {});
    });
    const id = link.open({ path: "/x" }, "{}");
    await started.promise;
    link.reset(id);
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "canceled" });
    await aborted.promise;
  });

  test("a reset during a stream stops the backend, and nothing follows its confirmation", async () => {
    const answer = pieces();
    const link = await rig.serve((request) =>
      request.url.endsWith("/x") ? new Response(answer.stream, EVENTS) : new Response("next"),
    );
    const id = link.open({ path: "/x" }, "{}");
    answer.push("data: 1\n\n");
    await link.response();
    link.reset(id, "timeout");
    const frame = await link.frames.takeUntil(({ type }) => type === "reset");
    expect(frame).toMatchObject({ id, code: "canceled" });
    await answer.canceled;
    // Frames for an exchange that has ended are ignored.
    link.credit(id, 5);
    link.reset(id);
    const next = link.open({ path: "/next" });
    expect(await link.response()).toMatchObject({ id: next, end: true });
  });

  test("a silent backend is abandoned after the worker's own limit if the server's is longer", async () => {
    const link = await rig.serve(() => new Promise<Response>(() => {}), { requestTimeoutMs: 30 });
    const id = link.open({ path: "/x", timeout_ms: 60_000 }, "{}");
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "timeout" });
  });

  test("a backend that waits for the server's credit or for the rest of an upload is not silent", async () => {
    const clock = new FakeClock();
    const uploading = Promise.withResolvers<void>();
    const handler = async (request: Request): Promise<Response> => {
      if (!request.url.endsWith("/up")) return new Response(new Uint8Array(2 * WINDOW), EVENTS);
      let bytes = 0;
      for await (const piece of request.body ?? []) {
        bytes += piece.length;
        // From now on the backend waits for what the server has not sent yet.
        uploading.resolve();
      }
      return Response.json({ bytes });
    };
    const link = await rig.serve(handler, {}, { clock });
    const stream = link.open({ path: "/down", timeout_ms: 40 }, "{}");
    for (let got = 0; got < WINDOW; ) {
      const frame = await link.frame();
      if ("body" in frame) got += frame.body.length;
    }
    const upload = link.open({ path: "/up", timeout_ms: 40 }, "x", false);
    await uploading.promise;
    clock.advance(400);
    link.credit(stream, 4 * WINDOW);
    link.data(upload, "y", true);
    const ends = new Set<number>();
    while (ends.size < 2) {
      const frame = await link.frame();
      if (frame.type === "reset") throw new Error(`exchange ${frame.id} was reset: ${frame.code}`);
      if ("end" in frame && frame.end) ends.add(frame.id);
    }
    expect(ends).toEqual(new Set([stream, upload]));
  });
});

test("two exchanges share one link, and a stuck one does not delay the other", async () => {
  const sample = startSampleBackend({ delayMs: 0 });
  const link = await rig.serve((request) => {
    if (request.url.endsWith("/stuck")) return new Response(new Uint8Array(4 * WINDOW), EVENTS);
    return fetch(`${sample.url}/chat/completions`, { method: "POST", body: request.body });
  });
  rig.use(sample);
  const stuck = link.open({ path: "/stuck" }, "{}");
  let got = 0;
  while (got < WINDOW) {
    const frame = await link.frameOf(stuck);
    if (frame.type === "response" || frame.type === "response_data") got += frame.body.length;
  }
  const body = JSON.stringify({ model: SAMPLE_CHAT_MODEL, stream: true, messages: [{ role: "user", content: "hi" }] });
  const { text } = await link.answer(link.open({ path: "/chat" }, body));
  expect(text).toEndWith("data: [DONE]\n\n");
});

test("jobs beyond four times the declared number are refused, because the server has lost count", async () => {
  const link = await rig.serve(() => new Promise<Response>(() => {}), { maxConcurrency: 2 });
  for (let index = 0; index < 8; index += 1) link.open({ path: "/x" });
  const ninth = link.open({ path: "/x" });
  expect(await link.frame()).toMatchObject({ type: "reset", id: ninth, code: "busy" });
});

test("a lost link aborts its jobs at the backend", async () => {
  const aborted = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const link = await rig.serve((request) => {
    request.signal.addEventListener("abort", () => aborted.resolve());
    started.resolve();
    return new Promise<Response>(() => {});
  });
  link.open({ path: "/x" });
  await started.promise;
  link.kill();
  await aborted.promise;
});

describe("a worker closes with 1002 and a reason if the server breaks the protocol:", () => {
  const header = (type: number, id: number): Uint8Array => Uint8Array.of(type, 0, 0, 0, 0, id);
  test.each([
    ["a frame that is no frame", Uint8Array.of(1, 2), "header"],
    ["an unknown type", header(9, 1), "unknown frame type"],
    ["an exchange that was never opened", Uint8Array.of(5, 0, 0, 0, 0, 3, 0, 0, 0, 1), "never opened"],
    ["an answer from the server", Uint8Array.of(4, 1, 0, 0, 0, 1), "response_data"],
  ])("%s", async (_name, frame, reason) => {
    const link = await rig.serve(() => new Response("x"));
    link.send(frame);
    const closed = await link.closed;
    expect(closed.code).toBe(1002);
    expect(closed.reason).toContain(reason);
  });

  test("an id used twice", async () => {
    const link = await rig.serve(() => new Response("x"));
    const id = link.open({ path: "/x" });
    await link.response();
    link.data(id, "late data is ignored");
    link.send(encodeRequest(id, { method: "POST", path: "/x", headers: [] }, new Uint8Array(), true));
    expect(await link.closed).toMatchObject({ code: 1002, reason: `request with id ${id}, which is not new` });
  });
});
