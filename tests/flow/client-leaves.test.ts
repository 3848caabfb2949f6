import { afterEach, beforeEach, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { LegacyWorker } from "../support/legacy-worker.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";

let server: TestServer;

beforeEach(() => {
  server = new TestServer({ confirmTimeoutMs: 400 });
});
afterEach(() => server.stop());

const slots = async (): Promise<number | undefined> => (await server.state()).workers[0]?.inflight;
const gone = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: Error) => error.name);

test("a client that disconnects while queued frees its place at once", async () => {
  const worker = await server.worker();
  const running = server.chat("m");
  const { id } = await worker.request();
  const leaver = new AbortController();
  const waiting = gone(server.chat("m", {}, { signal: leaver.signal }));
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "it waits");
  leaver.abort();
  expect(await waiting).toBe("AbortError");
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 0, "its place is free");
  worker.answerJson(id, {});
  expect((await running).status).toBe(200);
  expect(worker.frames.waiting).toBe(0);
});

test.each([false, true])(
  "a client that disconnects before the answer (stream: %p) cancels at the worker, and the slot waits for the confirmation",
  async (stream) => {
    const worker = await server.worker();
    const leaver = new AbortController();
    const answer = gone(server.chat("m", { stream }, { signal: leaver.signal }));
    const { id } = await worker.request();
    leaver.abort();
    await answer;
    expect(await worker.reset()).toMatchObject({ type: "reset", id, code: "canceled" });
    expect(await slots()).toBe(1);
    worker.breakOff(id, "canceled");
    await eventually(async () => (await slots()) === 0, "the slot is free");
  },
);

test("a client that disconnects mid-stream cancels at the worker at once", async () => {
  const worker = await server.worker();
  const leaver = new AbortController();
  const answer = await (async () => {
    const response = server.chat("m", { stream: true }, { signal: leaver.signal });
    const { id } = await worker.request();
    worker.head(id, 200, undefined, "data: 1\n\n");
    return { response: await response, id };
  })();
  await answer.response.body?.getReader().read();
  leaver.abort();
  expect(await worker.reset()).toMatchObject({ code: "canceled", id: answer.id });
  worker.data(answer.id, "data: late\n\n");
  worker.end(answer.id);
  await eventually(async () => (await slots()) === 0, "the slot is free");
});

test("a worker that never confirms gets its slot back after the confirm timeout", async () => {
  const worker = await server.worker();
  const leaver = new AbortController();
  const answer = gone(server.chat("m", {}, { signal: leaver.signal }));
  await worker.request();
  leaver.abort();
  await answer;
  await worker.reset();
  expect(await slots()).toBe(1);
  await eventually(async () => (await slots()) === 0, "the slot is free");
});

test("a legacy worker is cancelled with http_proxy_cancel", async () => {
  const worker = new LegacyWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: ["m"] } });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  const leaver = new AbortController();
  const answer = gone(server.chat("m", { stream: true }, { signal: leaver.signal }));
  const { request_id } = await worker.request();
  leaver.abort();
  await answer;
  expect(await worker.cancelled()).toEqual({ type: "http_proxy_cancel", request_id });
  expect(await slots()).toBe(1);
  worker.end(request_id, { code: "canceled", message: "" });
  await eventually(async () => (await slots()) === 0, "the slot is free");
});

test("frames for an ended job are ignored, and the session continues", async () => {
  const worker = await server.worker({ max_concurrency: 2 });
  const first = server.chat("m");
  const { id } = await worker.request();
  worker.answerJson(id, { n: 1 });
  await first;
  worker.data(id, "more");
  worker.breakOff(id, "internal");
  worker.credit(id, 5);
  const second = server.chat("m");
  worker.answerJson((await worker.request()).id, { n: 2 });
  expect(await (await second).json()).toEqual({ n: 2 });
});
