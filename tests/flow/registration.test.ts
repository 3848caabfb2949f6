import { afterEach, beforeEach, expect, test } from "bun:test";
import { VERSION } from "../../src/system/version.ts";
import { eventually } from "../support/eventually.ts";
import { LegacyWorker } from "../support/legacy-worker.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";

let server: TestServer;

beforeEach(() => {
  server = new TestServer({ registerTimeoutMs: 200, clientKeys: [CLIENT_KEY, "other-key"] });
});
afterEach(() => server.stop());

test("a native worker gets its id, its session and its limits", async () => {
  const worker = new NativeWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: [] } });
  const registered = await worker.registered();
  expect(worker.socket.protocol).toBe("moorage.v1");
  expect(registered).toMatchObject({
    type: "registered",
    window: 256 * 1024,
    max_frame: 1024 * 1024,
    ping_interval_ms: 15_000,
    server_id: server.config.serverId,
    server_version: VERSION,
  });
  expect(registered["worker_id"]).toMatch(/^[\w-]{22}$/);
  expect(registered["session_id"]).toMatch(/^[A-Za-z0-9-]{1,32}~[\w-]{22}$/);
});

test.each([
  ["no key", { type: "register" }, 1008, "unauthorized"],
  ["a wrong key", { type: "register", client_key: "wrong" }, 1008, "unauthorized"],
  ["another first message", { type: "heartbeat" }, 1008, "expected register"],
  ["a wrong type", { type: "register", client_key: CLIENT_KEY, models: "m" }, 1008, "invalid register: models"],
  [
    "a negative count",
    { type: "register", client_key: CLIENT_KEY, max_concurrency: -1 },
    1008,
    "invalid register: max_concurrency must be a whole number",
  ],
  [
    "an id with a slash",
    { type: "register", client_key: CLIENT_KEY, worker_id: "a/b" },
    1008,
    "invalid id: it must be 1 to 128 letters",
  ],
])("%s is refused with a close reason", async (_name, message, code, reason) => {
  const worker = new NativeWorker({ url: server.url });
  worker.socket.onopen = () => worker.sendText(message);
  const closed = await worker.closed;
  expect(closed.code).toBe(code);
  expect(closed.reason).toStartWith(reason);
  expect(Buffer.byteLength(closed.reason)).toBeLessThanOrEqual(123);
});

test("a register message that is not JSON, or is binary, is refused", async () => {
  for (const garbage of ["{", "\u0000", new Uint8Array([1, 2, 3])]) {
    const worker = new NativeWorker({ url: server.url });
    worker.socket.onopen = () => worker.socket.send(garbage);
    expect(await worker.closed).toEqual({ code: 1008, reason: "expected register" });
  }
});

test("a missing register message ends the connection", async () => {
  const worker = new NativeWorker({ url: server.url });
  expect(await worker.closed).toEqual({ code: 1008, reason: "expected register" });
});

test("the key may come as a bearer token on the upgrade, as legacy agents send it", async () => {
  const worker = new LegacyWorker({
    url: server.url,
    headers: { authorization: `bearer ${CLIENT_KEY}` },
    register: { worker_id: "old", models: ["m"] },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  worker.kill();
});

test("a legacy agent whose id is invalid gets another, and is reachable by both", async () => {
  const agent = new LegacyWorker({
    url: server.url,
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
    register: { worker_id: "GPU box 1", models: ["m"] },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  expect((await server.state()).workers[0]).toMatchObject({ id: "GPU_20box_201", name: "GPU box 1" });
  for (const id of ["GPU_20box_201", "GPU%20box%201"]) {
    expect((await server.fetch(`/api/llm/id/${id}/v1/models`)).status).toBe(200);
  }
  expect((await server.fetch("/api/llm/id/GPU%20box%202/v1/models")).status).toBe(404);
  agent.kill();
});

test("a key for a server without keys is refused at once", async () => {
  const open = new TestServer({ clientKeys: [], apiKeys: [] });
  const withKey = new NativeWorker({ url: open.url, register: { client_key: "some" } });
  expect(await withKey.closed).toEqual({ code: 1008, reason: "unexpected client key" });
  const without = await NativeWorker.connect({ url: open.url, register: { models: ["m"] } });
  without.close();
  await open.stop();
});

test("a second session with the same id and key takes over, and the late end of the first does not remove it", async () => {
  const first = await server.worker({ worker_id: "w" });
  const second = await server.worker({ worker_id: "w" });
  expect(await first.closed).toEqual({ code: 4001, reason: "replaced" });
  const answer = server.chat("m");
  second.answerJson((await second.request()).id, { from: "second" });
  expect(await (await answer).json()).toEqual({ from: "second" });
  expect((await server.state()).workers.map(({ id }) => id)).toEqual(["w"]);
});

test("a takeover moves the old session's jobs to the new one", async () => {
  const first = await server.worker({ worker_id: "w" });
  const answer = server.chat("m");
  await first.request();
  const second = await server.worker({ worker_id: "w" });
  second.answerJson((await second.request()).id, { from: "second" });
  expect(await (await answer).json()).toEqual({ from: "second" });
});

test("the same id with another key is refused, also shortly after its owner has left", async () => {
  const owner = await server.worker({ worker_id: "w" });
  const thief = new NativeWorker({ url: server.url, register: { client_key: "other-key", worker_id: "w" } });
  const refusal = {
    code: 1008,
    reason: "id in use: another key owns it; send that key too, or remove it from the server",
  };
  expect(await thief.closed).toEqual(refusal);
  owner.kill();
  await eventually(async () => (await server.state()).workers.length === 0, "the owner is gone");
  const again = new NativeWorker({ url: server.url, register: { client_key: "other-key", worker_id: "w" } });
  expect(await again.closed).toEqual(refusal);
  await server.worker({ worker_id: "w" });
});

test("a worker with max_concurrency 0 is connected but not ready, until a status_update changes it", async () => {
  const worker = await server.worker({ max_concurrency: 0 });
  expect((await server.state()).workers[0]).toMatchObject({ status: "not_ready" });
  const answer = server.chat("m");
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "the job waits");
  worker.sendText({ type: "status_update", max_concurrency: 2, status: "idle" });
  worker.answerJson((await worker.request()).id, { ok: 1 });
  expect((await answer).status).toBe(200);
});

test("a legacy agent whose backend comes up later registers empty and then updates", async () => {
  const worker = new LegacyWorker({
    url: server.url,
    register: {
      client_key: CLIENT_KEY,
      worker_id: "old",
      max_concurrency: 0,
      models: [],
      agent_config: { embedding_batch_size: "16", hostname: "box", os_name: "linux" },
    },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  worker.send({ type: "status_update", max_concurrency: 2, models: ["late"], status: "idle" });
  await eventually(async () => (await server.state()).models.some(({ name }) => name === "late"), "its model is there");
  const { workers } = await server.state();
  expect(workers[0]).toMatchObject({
    status: "idle",
    max_concurrency: 2,
    embedding_batch_size: 16,
    host_info: { hostname: "box", os_name: "linux" },
    dialect: "legacy",
  });
});

test("a draining legacy agent gets no more jobs and may leave with 1000", async () => {
  const worker = new LegacyWorker({
    url: server.url,
    register: { client_key: CLIENT_KEY, models: ["m"], max_concurrency: 2 },
  });
  await eventually(async () => (await server.state()).workers.length === 1, "it is there");
  worker.send({ type: "status_update", status: "draining", max_concurrency: 0 });
  await eventually(async () => (await server.state()).workers[0]?.["status"] === "draining", "it drains");
  worker.close();
  expect((await worker.closed).code).toBe(1000);
});

test("a model that a worker has dropped is no longer routed to it", async () => {
  const worker = await server.worker({ models: ["a", "b"], max_concurrency: 2 });
  worker.sendText({ type: "models_update", models: ["b"] });
  await eventually(async () => (await server.state()).workers[0]?.models.join() === "b", "the list has changed");
  const answer = server.chat("b");
  worker.answerJson((await worker.request()).id, {});
  expect((await answer).status).toBe(200);
});

test("a frame for an exchange that was never opened closes with 1002", async () => {
  const worker = await server.worker();
  worker.end(99);
  expect((await worker.closed).code).toBe(1002);
});

test("invalid frames and a frame over the limit close with 1002", async () => {
  for (const garbage of [new Uint8Array([9, 0, 0, 0, 0, 1]), new Uint8Array(3), new Uint8Array(1024 * 1024 + 1)]) {
    const worker = await server.worker();
    worker.send(garbage);
    expect((await worker.closed).code).toBe(1002);
  }
});

test("an unknown control message is ignored", async () => {
  const worker = await server.worker();
  worker.sendText({ type: "from_the_future", x: 1 });
  const answer = server.chat("m");
  worker.answerJson((await worker.request()).id, {});
  expect((await answer).status).toBe(200);
});

test("a plain GET, and a foreign subprotocol, are refused with an HTTP status", async () => {
  const plain = await fetch(`${server.url}/api/llm/connect`);
  expect(plain.status).toBe(426);
  expect(await plain.json()).toMatchObject({ error: { code: "upgrade_required" } });
  const foreign = await fetch(`${server.url}/api/llm/connect`, {
    headers: {
      upgrade: "websocket",
      connection: "upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-protocol": "other.v1",
    },
  });
  expect(foreign.status).toBe(400);
});

test("a right key is let in after many wrong ones of its address, on a worker's socket and by HTTP", async () => {
  const strict = new TestServer({ authFailuresPerMinute: 2 });
  const refused = async (): Promise<{ readonly code: number; readonly reason: string }> =>
    await new NativeWorker({ url: strict.url, register: { client_key: "wrong", models: [] } }).closed;
  for (let each = 0; each < 2; each += 1) expect(await refused()).toEqual({ code: 1008, reason: "unauthorized" });
  expect(await refused()).toEqual({ code: 1008, reason: "too many wrong keys" });
  const wrong = await strict.fetch("/v1/models", { headers: { authorization: "Bearer wrong" } });
  expect([wrong.status, wrong.headers.get("retry-after")]).toEqual([429, expect.stringMatching(/^\d+$/)]);

  expect((await strict.fetch("/v1/models")).status).toBe(200);
  await strict.worker({ models: ["m"] });
  await strict.stop();
});
