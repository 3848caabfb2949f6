import { afterEach, beforeEach, expect, test } from "bun:test";
import { TestServer } from "../../support/test-server.ts";
import { startBackend, startTestWorker } from "../../support/test-worker.ts";

let server: TestServer;
let stop: () => Promise<void>;
/** The lengths that the backend was told, in order. */
let lengths: number[];

/** A model server that refuses a body without a length, as `mlx_lm.server` does. */
async function handle(request: Request): Promise<Response> {
  const length = request.headers.get("content-length");
  const body = await request.text();
  if (length === null) return Response.json({ error: "Content-Length header is required" }, { status: 411 });
  expect(length).toBe(String(Buffer.byteLength(body)));
  lengths.push(Number(length));
  if (!request.url.endsWith("/embeddings")) return Response.json({ ok: true });
  const { input } = JSON.parse(body) as { input: string[] }; // The test's own request.
  const data = input.map((_, index) => ({ object: "embedding", index, embedding: [0.5] }));
  return Response.json({ object: "list", model: "m", data });
}

beforeEach(async () => {
  lengths = [];
  server = new TestServer();
  const backend = startBackend(handle);
  const worker = startTestWorker({ server: server.url, backend: backend.url });
  await worker.registered;
  stop = async () => {
    await worker.stop();
    await backend.stop();
    await server.stop();
  };
});
afterEach(() => stop());

test("a request of any size reaches the backend with its length", async () => {
  for (const kib of [1, 127, 129, 512, 5000]) {
    const answer = await server.chat("m", { more: "x".repeat(kib * 1024) });
    expect([kib, answer.status]).toEqual([kib, 200]);
    expect(lengths.at(-1)).toBeGreaterThan(kib * 1024);
  }
});

test.each(["completions", "responses", "messages", "rerank"])("a large request for %s has its length", async (path) => {
  const answer = await server.post(`/v1/${path}`, { model: "m", input: "x".repeat(200_000) });
  expect(answer.status).toBe(200);
});

test("a large request of a client that declares no length has one at the backend", async () => {
  const json = JSON.stringify({ model: "m", input: "x".repeat(200_000) });
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(json));
      controller.close();
    },
  });
  const headers = { "content-type": "application/json" };
  const answer = await server.fetch("/v1/completions", { method: "POST", body, headers });
  expect([answer.status, lengths]).toEqual([200, [json.length]]);
});

test("the parts of a large request for embeddings have their lengths", async () => {
  const input = Array.from({ length: 100 }, () => "y".repeat(8000));
  const answer = await server.post("/v1/embeddings", { model: "m", input });
  expect(answer.status).toBe(200);
  // The worker takes 32 inputs in one request.
  expect(lengths).toHaveLength(4);
});

test("small requests that wait behind a large one have their lengths", async () => {
  const large = server.chat("m", { more: "x".repeat(20 * 1024 * 1024) });
  const small = await Promise.all(Array.from({ length: 20 }, async () => (await server.chat("m")).status));
  expect([...small, (await large).status]).toEqual(Array.from({ length: 21 }, () => 200));
});
