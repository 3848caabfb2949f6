import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../../support/test-server.ts";
import { turn } from "../../support/turn.ts";

let server: TestServer;
let worker: NativeWorker;

beforeAll(async () => {
  server = new TestServer();
  worker = await server.worker({ worker_id: "w-one", models: ["m", "org/model:8b-q4"], max_concurrency: 8 });
});
afterAll(() => server.stop());

test("a JSON answer reaches the client byte for byte, with its status and headers", async () => {
  const body = '{ "id":"x",\n "big": 12345678901234567890, "text":"\\u00e9" }';
  const answer = server.chat("m");
  const { id } = await worker.request();
  worker.head(
    id,
    200,
    [
      ["content-type", "application/json"],
      ["x-backend", "a"],
      ["x-backend", "b"],
    ],
    body,
    true,
  );
  const response = await answer;
  expect(response.status).toBe(200);
  expect(response.headers.get("x-backend")).toBe("a, b");
  expect(response.headers.get("content-length")).toBe(String(Buffer.byteLength(body)));
  expect(await response.text()).toBe(body);
});

test("the request reaches the worker byte for byte, at its path under the backend's base", async () => {
  const body = '{"messages":[],"n": 1e2,  "model":"m","unknown":{"a":[1]}}';
  const answer = server.fetch("/api/llm/v1/chat/completions?api-version=1", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  const { id, head, body: got, end } = await worker.request();
  expect(head.method).toBe("POST");
  expect(head.path).toBe("/chat/completions?api-version=1");
  expect(Buffer.from(got).toString()).toBe(body);
  expect(end).toBe(true);
  worker.answerJson(id, {});
  await (await answer).body?.cancel();
});

test("the client's credentials and forwarding headers never reach a worker", async () => {
  const answer = server.chat(
    "m",
    {},
    {
      headers: {
        "x-api-key": API_KEY,
        "api-key": API_KEY,
        cookie: "moorage_session=abc",
        "x-user-roles": "admin",
        "x-forwarded-for": "10.1.2.3",
        origin: "https://evil.example",
        "anthropic-version": "2023-06-01",
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      },
    },
  );
  const { id, head } = await worker.request();
  const text = JSON.stringify(head.headers);
  expect(text).not.toContain(API_KEY);
  const names = head.headers.map(([name]) => name);
  for (const name of [
    "authorization",
    "x-api-key",
    "api-key",
    "cookie",
    "x-user-roles",
    "x-forwarded-for",
    "host",
    "origin",
  ])
    expect(names).not.toContain(name);
  expect(Object.fromEntries(head.headers)["anthropic-version"]).toBe("2023-06-01");
  expect(Object.fromEntries(head.headers)["traceparent"]).toStartWith("00-4bf9");
  worker.answerJson(id, {});
  await answer;
});

test("a stream is passed on chunk by chunk and unchanged, wherever it is split", async () => {
  const events = 'data: {"choices":[{"delta":{"content":"Grüße 🌊"}}]}\n\ndata: [DONE]\n\n';
  const bytes = Buffer.from(events);
  const answer = server.chat("m", { stream: true });
  const { id, head } = await worker.request();
  expect(head.stream).toBe(true);
  worker.head(id);
  for (let at = 0; at < bytes.length; at += 7) {
    worker.data(id, bytes.subarray(at, at + 7));
    if (at % 21 === 0) await turn();
  }
  worker.end(id);
  const response = await answer;
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(response.headers.get("x-accel-buffering")).toBe("no");
  expect(response.headers.get("cache-control")).toContain("no-transform");
  expect(await response.text()).toBe(events);
});

test("the first chunk reaches the client while the worker is still writing", async () => {
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, "data: 1\n\n");
  const response = await answer;
  const reader = response.body?.getReader();
  const first = await reader?.read();
  expect(Buffer.from(first?.value ?? []).toString()).toBe("data: 1\n\n");
  worker.data(id, "data: 2\n\n", true);
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("data: 2\n\n");
  expect((await reader?.read())?.done).toBe(true);
});

test("a binary body is passed on unchanged", async () => {
  const bytes = new Uint8Array(100_000).map((_, index) => (index * 7) % 256);
  const answer = server.post("/v1/audio/speech", { model: "m", input: "x" });
  const { id } = await worker.request();
  worker.head(
    id,
    200,
    [
      ["content-type", "audio/mpeg"],
      ["transfer-encoding", "chunked"],
    ],
    bytes.subarray(0, 5),
  );
  worker.data(id, bytes.subarray(5), true);
  const response = await answer;
  expect(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
  expect(response.headers.get("content-security-policy")).toBe("sandbox");
});

test.each([400, 404, 422, 429, 500, 503])("a backend's own %i is passed on with its body", async (status) => {
  const answer = server.chat("m");
  const { id } = await worker.request();
  worker.answerJson(id, { error: { message: "from the backend", type: "x", code: "y" } }, status);
  const response = await answer;
  expect(response.status).toBe(status);
  expect(await response.json()).toEqual({ error: { message: "from the backend", type: "x", code: "y" } });
});

test("a worker's set-cookie, CORS and hop-by-hop headers are not passed on", async () => {
  const answer = server.chat("m");
  const { id } = await worker.request();
  worker.head(
    id,
    200,
    [
      ["content-type", "application/json"],
      ["set-cookie", "a=b"],
      ["access-control-allow-origin", "*"],
      ["connection", "x-secret"],
      ["x-secret", "1"],
      ["keep-alive", "5"],
    ],
    "{}",
    true,
  );
  const { headers } = await answer;
  for (const name of ["set-cookie", "access-control-allow-origin", "x-secret"]) expect(headers.get(name)).toBeNull();
  expect(headers.get("x-content-type-options")).toBe("nosniff");
});

test("a request that is sent again has another id at the second worker, and the client's own in the answer", async () => {
  const first = await server.worker({ worker_id: "first", models: ["again"] });
  const answer = server.chat("again", {}, { headers: { "x-request-id": "mine" } });
  const { id, head } = await first.request();
  const second = await server.worker({ worker_id: "second", models: ["again"] });
  first.breakOff(id, "upstream_error");
  const again = await second.request();
  second.answerJson(again.id, {});
  const ids = [head, again.head].map(({ headers }) => Object.fromEntries(headers)["x-request-id"]);
  expect(ids).toEqual(["mine", "mine-2"]);
  expect((await answer).headers.get("x-request-id")).toBe("mine");
  first.close();
  second.close();
});

test("a valid x-request-id is kept, sent to the worker and returned; an invalid one is replaced", async () => {
  const answer = server.chat("m", {}, { headers: { "x-request-id": "my-id_1.2" } });
  const { id, head } = await worker.request();
  expect(Object.fromEntries(head.headers)["x-request-id"]).toBe("my-id_1.2");
  worker.answerJson(id, {});
  expect((await answer).headers.get("x-request-id")).toBe("my-id_1.2");

  const other = server.chat("m", {}, { headers: { "x-request-id": "no spaces allowed" } });
  const second = await worker.request();
  worker.answerJson(second.id, {});
  const made = (await other).headers.get("x-request-id") ?? "";
  expect(made).toMatch(/^req_/);
  expect(Object.fromEntries(second.head.headers)["x-request-id"]).toBe(made);
});

test.each([
  "/v1/chat/completions",
  "/v1/chat/completions/",
  "//v1/chat/completions",
  "/v1//chat/completions",
  "/api/llm/v1/chat/completions/",
])("%s is the same route, without a redirect", async (path) => {
  const answer = server.post(path, { model: "m" }, { redirect: "error" });
  const { id, head } = await worker.request();
  expect(head.path).toBe("/chat/completions");
  worker.answerJson(id, {});
  expect((await answer).status).toBe(200);
});

test("any other path with a model is routed, and none leaves the backend's base", async () => {
  const answer = server.post("/v1/some/new-api", { model: "m" });
  const { id, head } = await worker.request();
  expect(head.path).toBe("/some/new-api");
  worker.answerJson(id, {});
  expect((await answer).status).toBe(200);
  for (const path of ["/v1/%2e%2e%2fadmin", "/v1/a%2f..%2fb", "/v1/a%5cb"])
    expect((await server.post(path, { model: "m" })).status).toBe(404);
});

test("a request to one worker reaches that worker only", async () => {
  const other = await server.worker({ worker_id: "w-two", max_concurrency: 8 });
  for (let round = 0; round < 3; round += 1) {
    const answer = server.post("/api/llm/id/w-two/v1/chat/completions", { model: "m" });
    const { id } = await other.request();
    other.answerJson(id, { from: "two" });
    expect(await (await answer).json()).toEqual({ from: "two" });
  }
  const unknown = await server.post("/api/llm/id/nobody/v1/chat/completions", { model: "m" });
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toMatchObject({ error: { code: "worker_not_found" } });
  other.close();
  await eventually(async () => (await server.state()).workers.length === 1, "the second worker is gone");
});

test("a substitute of another quantization gets the request under its own model name, otherwise unchanged", async () => {
  const body = '{"messages":[{"role":"user","content":"model"}], "model" : "org/model:8b" ,"x":1}';
  const answer = server.fetch("/v1/chat/completions", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  const { id, body: got } = await worker.request();
  expect(Buffer.from(got).toString()).toBe(body.replace("org/model:8b", "org/model:8b-q4"));
  worker.answerJson(id, {});
  expect((await answer).status).toBe(200);
});

test("a job without a free slot waits, and is served when one is free", async () => {
  const single = await server.worker({ worker_id: "w-single", models: ["single"], max_concurrency: 1 });
  const first = server.chat("single");
  const running = await single.request();
  const second = server.chat("single");
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "the second job waits");
  single.answerJson(running.id, { n: 1 });
  expect(await (await first).json()).toEqual({ n: 1 });
  const next = await single.request();
  single.answerJson(next.id, { n: 2 });
  expect(await (await second).json()).toEqual({ n: 2 });
  single.close();
});

test("of 100 requests at once, a worker with 4 slots never has more than 4", async () => {
  const four = await server.worker({ worker_id: "w-four", models: ["four"], max_concurrency: 4 });
  const answers = Promise.all(Array.from({ length: 100 }, () => server.chat("four")));
  const held: number[] = [];
  for (let asked = 0; asked < 100; asked += 1) {
    held.push((await four.request()).id);
    if (held.length < 4) continue;
    // The server has had time to send a fifth.
    await four.roundTrip();
    expect(four.frames.waiting).toBe(0);
    four.answerJson(held.shift() ?? expect.unreachable(), {});
  }
  for (const id of held) four.answerJson(id, {});
  expect((await answers).every((answer) => answer.status === 200)).toBe(true);
  four.close();
});

test("a legacy worker serves the same routes", async () => {
  const legacy = new LegacyWorker({
    url: server.url,
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
    register: { worker_id: "old", models: ["old-model"], max_concurrency: 2 },
  });
  await eventually(
    async () => (await server.state()).models.some(({ name }) => name === "old-model"),
    "the legacy worker is there",
  );
  const answer = server.chat("old-model", { stream: true });
  const request = await legacy.request();
  expect(request).toMatchObject({ method: "POST", path: "/chat/completions", stream: true });
  expect(JSON.parse(Buffer.from(request.body ?? "", "base64").toString())).toMatchObject({ model: "old-model" });
  legacy.head(request.request_id, 200, { "content-type": "text/event-stream" });
  legacy.chunk(request.request_id, "data: 1\n\n");
  legacy.chunk(request.request_id, "data: [DONE]\n\n");
  legacy.end(request.request_id);
  expect(await (await answer).text()).toBe("data: 1\n\ndata: [DONE]\n\n");
  legacy.close();
});
