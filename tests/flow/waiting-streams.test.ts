import { afterEach, beforeEach, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { TestServer } from "../support/test-server.ts";

let server: TestServer;

beforeEach(() => {
  server = new TestServer({ earlyHeadersMs: 50, keepaliveIntervalMs: 60, queueTimeoutMs: 1000, queueSize: 2 });
});
afterEach(() => server.stop());

/** Reads a stream until its text satisfies `enough`. */
async function readUntil(response: Response, enough: (text: string) => boolean): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (reader && !enough(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  reader?.releaseLock();
  return text;
}

test("a stream that waits gets its headers early and its place in comments of one line", async () => {
  const worker = await server.worker();
  const first = server.chat("m");
  const running = await worker.request();
  const [second, third] = [server.chat("m", { stream: true }), server.chat("m", { stream: true })];
  const waiting = await Promise.all([second, third]);
  const texts = await Promise.all(waiting.map((response) => readUntil(response, (text) => text.includes("position="))));
  expect(texts.sort()).toEqual([": queued position=1\n", ": queued position=2\n"]);
  expect(waiting.every(({ status }) => status === 200)).toBe(true);
  worker.answerJson(running.id, {});
  await first;
});

test("nothing but comments stands before the worker's own bytes: no id, no event, no data", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  const response = await answer;
  await Bun.sleep(150);
  worker.head(id, 200, undefined, "data: 1\n\ndata: [DONE]\n\n", true);
  const text = await response.text();
  expect(text.replaceAll(/^: [a-z-]+( position=\d+)?\n/gm, "")).toBe("data: 1\n\ndata: [DONE]\n\n");
  expect(text).not.toContain("\n\n: ");
  expect(text.match(/^: keep-alive$/gm)?.length).toBeGreaterThanOrEqual(2);
});

test("keep-alives stand between lines, never inside one", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, "data: one ");
  const response = await answer;
  await Bun.sleep(200);
  worker.data(id, "line\n");
  await Bun.sleep(200);
  worker.data(id, "\ndata: 2\n\n", true);
  const text = await response.text();
  expect(text).toStartWith("data: one line\n: keep-alive\n");
  expect(text.replaceAll(": keep-alive\n", "")).toBe("data: one line\n\ndata: 2\n\n");
});

test("a fault after the early headers is an error event, and no [DONE] follows", async () => {
  const worker = await server.worker({ max_concurrency: 0 });
  const response = await server.chat("m", { stream: true });
  expect(response.status).toBe(200);
  const text = await response.text();
  expect(text).toContain('data: {"error":{');
  expect(text).toContain('"code":"no_worker_available"');
  expect(text).not.toContain("[DONE]");
  worker.close();
});

test("a backend's 400 after the early headers is told in the stream", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  const response = await answer;
  worker.answerJson(id, { error: { message: "context too long" } }, 400);
  const text = await response.text();
  const event = JSON.parse(text.split("data: ")[1] ?? "");
  expect(event.error.message).toContain("400");
  expect(event.error.message).toContain("context too long");
});

test("a backend's 400 before the early headers is the client's 400", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  worker.answerJson((await worker.request()).id, { error: { message: "no" } }, 400);
  expect((await answer).status).toBe(400);
});

test("a full queue is answered 503 queue_full with Retry-After; a waiting request in time queue_timeout", async () => {
  const worker = await server.worker();
  const running = server.chat("m");
  await worker.request();
  const waiting = [server.chat("m"), server.chat("m")];
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 2, "both wait");
  const full = await server.chat("m");
  expect(full.status).toBe(503);
  expect(full.headers.get("retry-after")).toMatch(/^\d+$/);
  expect(await full.json()).toMatchObject({ error: { code: "queue_full" } });
  for (const response of await Promise.all(waiting)) {
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "queue_timeout" } });
  }
  worker.close();
  await running.catch(() => {});
});

test("a job of another model is not held up by a queue", async () => {
  const busy = await server.worker({ models: ["busy"] });
  const free = await server.worker({ models: ["free"] });
  const running = server.chat("busy");
  const { id } = await busy.request();
  const waiting = server.chat("busy");
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "it waits");
  const answer = server.chat("free");
  free.answerJson((await free.request()).id, {});
  expect((await answer).status).toBe(200);
  busy.answerJson(id, {});
  busy.answerJson((await busy.request()).id, {});
  await Promise.all([running, waiting]);
});
