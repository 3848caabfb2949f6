import { afterEach, beforeEach, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestServer } from "../support/test-server.ts";

const EARLY_MS = 50;
const KEEPALIVE_MS = 60;
let server: TestServer;
let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
  server = new TestServer(
    {
      earlyHeadersMs: EARLY_MS,
      keepaliveIntervalMs: KEEPALIVE_MS,
      queueTimeoutMs: 1000,
      queueSize: 2,
      pingIntervalMs: 3_600_000,
    },
    { clock },
  );
});
afterEach(() => server.stop());

async function queued(jobs: number): Promise<void> {
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === jobs, `${jobs} jobs wait`);
}

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

test("a waiting stream gets its headers early, and its queue position in one-line comments", async () => {
  const worker = await server.worker();
  const first = server.chat("m");
  const running = await worker.request();
  const [second, third] = [server.chat("m", { stream: true }), server.chat("m", { stream: true })];
  await queued(2);
  clock.advance(EARLY_MS);
  const waiting = await Promise.all([second, third]);
  const texts = await Promise.all(waiting.map((response) => readUntil(response, (text) => text.includes("position="))));
  expect(texts.sort()).toEqual([": queued position=1\n", ": queued position=2\n"]);
  expect(waiting.every(({ status }) => status === 200)).toBe(true);
  worker.answerJson(running.id, {});
  await first;
});

test("only comments precede the worker's own bytes", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  clock.advance(EARLY_MS);
  const response = await answer;
  clock.advance(3 * KEEPALIVE_MS);
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
  clock.advance(3 * KEEPALIVE_MS);
  worker.data(id, "line\n");
  await worker.roundTrip();
  clock.advance(3 * KEEPALIVE_MS);
  worker.data(id, "\ndata: 2\n\n", true);
  const text = await response.text();
  expect(text).toStartWith("data: one line\n: keep-alive\n");
  expect(text.replaceAll(": keep-alive\n", "")).toBe("data: one line\n\ndata: 2\n\n");
});

test("a fault after the early headers is an error event without [DONE]", async () => {
  const worker = await server.worker({ max_concurrency: 0 });
  const answer = server.chat("m", { stream: true });
  await queued(1);
  clock.advance(EARLY_MS);
  const response = await answer;
  expect(response.status).toBe(200);
  clock.advance(1000);
  const text = await response.text();
  expect(text).toContain('data: {"error":{');
  expect(text).toContain('"code":"no_worker_available"');
  expect(text).not.toContain("[DONE]");
  worker.close();
});

test("a backend's 400 after the early headers becomes an error event", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  clock.advance(EARLY_MS);
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

test("a full queue gives 503 queue_full with Retry-After, and a request that waits too long gets queue_timeout", async () => {
  const worker = await server.worker();
  const running = server.chat("m");
  const { id } = await worker.request();
  const waiting = [server.chat("m"), server.chat("m")];
  await queued(2);
  const full = await server.chat("m");
  expect(full.status).toBe(503);
  expect(full.headers.get("retry-after")).toMatch(/^\d+$/);
  expect(await full.json()).toMatchObject({ error: { code: "queue_full" } });
  clock.advance(1000);
  for (const response of await Promise.all(waiting)) {
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "queue_timeout" } });
  }
  worker.answerJson(id, {});
  expect((await running).status).toBe(200);
});

test("a queue does not delay jobs of another model", async () => {
  const busy = await server.worker({ models: ["busy"] });
  const free = await server.worker({ models: ["free"] });
  const running = server.chat("busy");
  const { id } = await busy.request();
  const waiting = server.chat("busy");
  await queued(1);
  const answer = server.chat("free");
  free.answerJson((await free.request()).id, {});
  expect((await answer).status).toBe(200);
  busy.answerJson(id, {});
  busy.answerJson((await busy.request()).id, {});
  await Promise.all([running, waiting]);
});
