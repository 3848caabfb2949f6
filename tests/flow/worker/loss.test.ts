import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";

let server: TestServer;

beforeEach(() => {
  server = new TestServer({
    modelGraceMs: 60_000,
    queueTimeoutMs: 300,
    requestTimeoutMs: 400,
    requestTimeoutWholeMs: 400,
    confirmTimeoutMs: 300,
  });
});
afterEach(() => server.stop());

test("a worker killed before its first byte is replaced by another, unnoticed by the client", async () => {
  const [first, second] = [await server.worker(), await server.worker()];
  const answer = server.chat("m");
  // Both idle: the one that has waited longest is chosen.
  await first.request();
  first.kill();
  const { id } = await second.request();
  second.answerJson(id, { from: "other" });
  const response = await answer;
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ from: "other" });
});

test("a response head without a byte is no answer yet, and the job moves to another worker", async () => {
  const first = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await first.request();
  first.head(id);
  const second = await server.worker();
  first.kill();
  const retried = await second.request();
  second.head(retried.id, 200, undefined, "data: [DONE]\n\n", true);
  expect(await (await answer).text()).toBe("data: [DONE]\n\n");
});

test("three lost workers in a row give a retryable 502 worker_lost", async () => {
  const workers = [await server.worker(), await server.worker(), await server.worker(), await server.worker()];
  const answer = server.chat("m");
  for (const worker of workers.slice(0, 3)) {
    await worker.request();
    worker.kill();
  }
  const response = await answer;
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ error: { code: "worker_lost", type: "server_error" } });
  expect(response.headers.get("x-should-retry")).toBeNull();
});

test("a worker lost mid-stream ends the stream with an error event and without [DONE]", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, 'data: {"choices":[]}\n\n');
  const response = await answer;
  worker.kill();
  const text = await response.text();
  expect(text).toStartWith('data: {"choices":[]}\n\ndata: {"error":');
  const event = JSON.parse(text.split("\n\n")[1]?.slice(6) ?? "");
  expect(event).toMatchObject({ error: { code: "worker_lost", type: "server_error", param: null } });
  expect(text).not.toContain("[DONE]");
  expect(text).toEndWith("\n\n");
});

test("a stream cut inside a line still ends with a separate error event", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, 'data: {"cho');
  const response = await answer;
  worker.kill();
  expect(await response.text()).toContain('\n\ndata: {"error":');
});

test.each([
  ["/v1/responses", 'event: error\ndata: {"type":"error","code":"worker_lost"'],
  ["/v1/messages", 'event: error\ndata: {"type":"error","error":{'],
])("%s gets the error event of its own API", async (path, event) => {
  const worker = await server.worker();
  const answer = server.post(path, { model: "m", stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, "event: x\ndata: {}\n\n");
  const response = await answer;
  worker.kill();
  expect(await response.text()).toContain(event);
});

test("a plain body that breaks off is cut, never ended in order", async () => {
  const worker = await server.worker();
  const answer = server.chat("m");
  const { id } = await worker.request();
  worker.head(id, 200, [["content-type", "application/json"]], '{"half":');
  const response = await answer;
  worker.kill();
  await expect(response.text()).rejects.toThrow();
});

test("requests for a known model whose last worker left wait, then get 503 with Retry-After, never 404", async () => {
  const worker = await server.worker();
  worker.kill();
  await eventually(async () => (await server.state()).workers.length === 0, "the worker is gone");
  const response = await server.chat("m");
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: { code: "no_worker_available" } });
  const retryAfter = Number(response.headers.get("retry-after"));
  expect(retryAfter).toBeGreaterThanOrEqual(1);
  expect(retryAfter).toBeLessThanOrEqual(60);
});

test("a request that waits for a known model is served by the next worker", async () => {
  const worker = await server.worker();
  worker.kill();
  await eventually(async () => (await server.state()).workers.length === 0, "the worker is gone");
  const answer = server.chat("m");
  const next = await server.worker();
  const { id } = await next.request();
  next.answerJson(id, { ok: true });
  expect(await (await answer).json()).toEqual({ ok: true });
});

test("a worker that is silent beyond the timeout gives 504, is reset, and keeps its slot taken until it confirms", async () => {
  const worker = await server.worker();
  const response = await server.chat("m");
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ error: { code: "upstream_timeout" } });
  const reset = await worker.reset();
  expect(reset).toMatchObject({ type: "reset", code: "timeout" });
  expect((await server.state()).workers[0]?.inflight).toBe(1);
  worker.breakOff(reset.id, "timeout");
  await eventually(async () => (await server.state()).workers[0]?.inflight === 0, "the slot is free");
});

test("a worker that stops mid-answer but still sends heartbeats ends the stream with upstream_timeout", async () => {
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, "data: 1\n\n");
  const beat = setInterval(() => worker.sendText({ type: "heartbeat", ts: 1 }), 50);
  const text = await (await answer).text();
  clearInterval(beat);
  expect(text).toContain('"code":"upstream_timeout"');
});

test("an unreachable backend moves the job to another worker", async () => {
  const [first, second] = [await server.worker(), await server.worker()];
  const answer = server.chat("m");
  first.breakOff((await first.request()).id, "upstream_unreachable", "ECONNREFUSED");
  const { id } = await second.request();
  second.answerJson(id, { ok: 1 });
  expect((await answer).status).toBe(200);
});

describe("the only backend, if it cannot be reached,", () => {
  let patient: TestServer;
  beforeEach(() => {
    patient = new TestServer({ queueTimeoutMs: 5000 });
  });
  afterEach(() => patient.stop());

  test("keeps its first job waiting like the next ones, until its worker reports that it is back", async () => {
    const worker = await patient.worker();
    const answer = patient.chat("m");
    worker.breakOff((await worker.request()).id, "upstream_unreachable", "ECONNREFUSED");
    worker.sendText({ type: "status_update", status: "not_ready", max_concurrency: 0, reason: "it does not answer" });
    const next = patient.chat("m");
    await eventually(async () => (await patient.state()).server["scheduler_queue_len"] === 2, "both jobs wait");
    worker.sendText({ type: "status_update", status: "idle", max_concurrency: 2 });
    for (let each = 0; each < 2; each += 1) worker.answerJson((await worker.request()).id, { ok: 1 });
    expect([(await answer).status, (await next).status]).toEqual([200, 200]);
  });

  test("is reported after three attempts, if its worker goes on offering it", async () => {
    const worker = await patient.worker();
    const answer = patient.chat("m");
    for (let each = 0; each < 3; each += 1) worker.breakOff((await worker.request()).id, "upstream_unreachable");
    const response = await answer;
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: "upstream_unreachable" } });
    expect((await patient.state()).workers[0]?.inflight).toBe(0);
  });
});

test("a legacy agent's own failure is distinguished from its backend's 502", async () => {
  await server.stop();
  server = new TestServer({ queueTimeoutMs: 5000 });
  const legacy = new LegacyWorker({
    url: server.url,
    register: { client_key: CLIENT_KEY, models: ["old"], max_concurrency: 4 },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "the worker is there");
  const own = server.chat("old");
  for (let each = 0; each < 3; each += 1) {
    const { request_id } = await legacy.request();
    legacy.head(request_id, 502);
    legacy.chunk(request_id, "backend down");
    legacy.end(request_id, { code: "upstream_error", message: "connection refused" });
  }
  expect(await (await own).json()).toMatchObject({ error: { code: "upstream_unreachable" } });

  const backends = server.chat("old");
  const second = await legacy.request();
  legacy.answerJson(second.request_id, { error: { message: "mine" } }, 502);
  const response = await backends;
  expect(response.status).toBe(502);
  expect(await response.json()).toEqual({ error: { message: "mine" } });
});

test("a job refused by a draining legacy agent goes to another worker", async () => {
  const legacy = new LegacyWorker({
    url: server.url,
    register: { client_key: CLIENT_KEY, models: ["m"], max_concurrency: 1 },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "the worker is there");
  const answer = server.chat("m");
  const { request_id } = await legacy.request();
  const worker = await server.worker();
  legacy.head(request_id, 503);
  legacy.end(request_id, { code: "worker_draining", message: "draining" });
  const { id } = await worker.request();
  worker.answerJson(id, { ok: 1 });
  expect((await answer).status).toBe(200);
});

test("a request that cannot be made for a substitute model takes no slot", async () => {
  const worker = await server.worker({ models: ["llama:8b-q4"] });
  for (let round = 0; round < 3; round += 1) {
    const body = `\ufeff${JSON.stringify({ model: "llama:8b" })}`;
    const response = await server.fetch("/v1/chat/completions", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect(response.status).toBe(400);
  }
  expect((await server.state()).workers[0]?.inflight).toBe(0);
  const answer = server.chat("llama:8b");
  worker.answerJson((await worker.request()).id, {});
  expect((await answer).status).toBe(200);
});

test("a substitute model takes a job that the exact worker could not", async () => {
  const exact = await server.worker({ models: ["llama:8b"] });
  const standIn = await server.worker({ models: ["llama:8b-q4"] });
  const answer = server.chat("llama:8b");
  exact.breakOff((await exact.request()).id, "upstream_unreachable");
  standIn.answerJson((await standIn.request()).id, { ok: 1 });
  expect((await answer).status).toBe(200);
});

test("a worker that sends only credit and empty frames counts as silent", async () => {
  const worker = await server.worker();
  const answer = server.chat("m");
  const { id } = await worker.request();
  const chatter = setInterval(() => worker.credit(id, 0), 30);
  const response = await answer;
  clearInterval(chatter);
  expect(response.status).toBe(504);
});

test("an invalid header of a legacy backend is dropped, and an invalid status ends only its job", async () => {
  const legacy = new LegacyWorker({
    url: server.url,
    register: { client_key: CLIENT_KEY, models: ["old"], max_concurrency: 4 },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "the worker is there");
  const odd = server.chat("old");
  const first = await legacy.request();
  legacy.head(first.request_id, 200, { "content-type": "application/json", "x-name": "\u2028", constructor: "1" });
  legacy.chunk(first.request_id, "{}");
  legacy.end(first.request_id);
  const response = await odd;
  expect(response.status).toBe(200);
  expect(response.headers.get("x-name")).toBeNull();

  const impossible = server.chat("old");
  legacy.head((await legacy.request()).request_id, 99);
  expect((await impossible).status).toBe(502);
  expect((await server.state()).workers.length).toBe(1);
});

test("a legacy answer to an unknown job closes the session and is not kept", async () => {
  const legacy = new LegacyWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: ["old"] } });
  await eventually(async () => (await server.state()).workers.length === 1, "the worker is there");
  legacy.head("77", 502);
  expect((await legacy.closed).code).toBe(1002);
});
