import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import type { NativeWorker } from "../../support/native-worker.ts";

// Three server processes and a real nats-server. The workers are scripted: a test sees and sends each frame.

const JOINED = 3;
const gone = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: Error) => error.name);

describe.skipIf(lacks("requests in a cluster", PROGRAMS.nats))("a request that enters one server", () => {
  let cluster: ClusterProcesses;
  let entry: ClusterServer;

  beforeAll(async () => {
    cluster = await ClusterProcesses.start({ servers: JOINED, env: { QUEUE_TIMEOUT: "20s" } });
    entry = cluster.server(0);
  }, 60_000);
  afterAll(() => cluster.stop());
  afterEach(async () => {
    await cluster.dismiss();
  });

  const busyAt = async (at: number): Promise<number> =>
    (await cluster.server(at).pool()).workers.reduce((sum, { inflight }) => sum + inflight, 0);

  test("is answered by a worker of another one, with the bytes and headers that the worker sent", async () => {
    const worker = await cluster.workerOfM(1);
    const asked = entry.chat("m", { temperature: 0.5, user: "ann" });
    const { id, head, body } = await worker.request();
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({
      model: "m",
      messages: [{ role: "user", content: "hello" }],
      temperature: 0.5,
      user: "ann",
    });
    expect(head).not.toHaveProperty("peer");
    worker.answerJson(id, { choices: [], from: "another server" });
    const response = await asked;
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({ choices: [], from: "another server" });
  });

  test("gets a stream event by event", async () => {
    const worker = await cluster.workerOfM(2);
    const asked = entry.chat("m", { stream: true });
    const { id } = await worker.request();
    worker.head(id, 200, undefined, "data: 0\n\n");
    const response = await asked;
    const reader = (response.body ?? expect.unreachable()).getReader();
    const next = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
    expect(await next()).toBe("data: 0\n\n");
    for (let count = 1; count < 5; count += 1) {
      worker.data(id, `data: ${count}\n\n`);
      expect(await next()).toBe(`data: ${count}\n\n`);
    }
    worker.data(id, "data: [DONE]\n\n", true);
    expect(await next()).toBe("data: [DONE]\n\n");
    expect((await reader.read()).done).toBe(true);
    await eventually(async () => (await busyAt(2)) === 0, "the slot is free");
  });

  test("sees the same models at each server, first seen at the same time, and 404 for a model that none has", async () => {
    await cluster.workerOfM(0, { models: ["m", "a"] });
    await cluster.workerOfM(1, { models: ["m", "b"] });
    for (const model of ["a", "b"]) await cluster.served(model);
    const lists = await Promise.all(cluster.servers.map(async (server) => (await server.fetch("/v1/models")).json()));
    expect(lists[1]).toEqual(lists[0]);
    expect(lists[2]).toEqual(lists[0]);
    for (const server of cluster.servers) {
      const isUnknown = async (): Promise<boolean> => (await server.chat("no-such-model")).status === 404;
      await eventually(isUnknown, "the server is certain that no other one has the model", 10_000);
    }
  });

  test("reaches one particular worker of another server, 404 for a worker that none has", async () => {
    const [first, second] = [
      await cluster.workerOfM(1, { worker_id: "gpu-1" }),
      await cluster.workerOfM(2, { worker_id: "gpu-2" }),
    ];
    const at = (worker: string): Promise<Response> =>
      entry.post(`/api/llm/id/${worker}/v1/chat/completions`, { model: "m", messages: [] });
    const known = async (): Promise<boolean> => (await entry.fetch("/api/llm/id/gpu-2/v1/models")).ok;
    await eventually(known, "the entry server knows the worker");
    const { data } = (await (await entry.fetch("/api/llm/id/gpu-2/v1/models")).json()) as { data: { id: string }[] }; // its own tests check this shape
    expect(data.map(({ id }) => id)).toEqual(["m"]);
    for (const [id, worker] of [
      ["gpu-1", first],
      ["gpu-2", second],
    ] as const) {
      const asked = at(id);
      const request = await worker.request();
      worker.answerJson(request.id, { choices: [], served_by: id });
      expect(await (await asked).json()).toEqual({ choices: [], served_by: id });
    }
    expect((await at("gpu-3")).status).toBe(404);
  });

  test("waits at that server while all workers of the others are busy, and gets the first slot that is free", async () => {
    const worker = await cluster.workerOfM(1);
    const running = cluster.server(1).chat("m");
    const { id } = await worker.request();
    const waiting = entry.chat("m");
    await entry.waiting(1);
    worker.answerJson(id, { choices: [] });
    expect((await running).status).toBe(200);
    const next = await worker.request();
    worker.answerJson(next.id, { choices: [], is: "next" });
    expect(await (await waiting).json()).toEqual({ choices: [], is: "next" });
    await entry.waiting(0);
  });

  test("leaves the queue when its client leaves", async () => {
    const worker = await cluster.workerOfM(1);
    const running = cluster.server(1).chat("m");
    const { id } = await worker.request();
    const leaver = new AbortController();
    const waiting = gone(entry.chat("m", {}, { signal: leaver.signal }));
    await entry.waiting(1);
    leaver.abort();
    expect(await waiting).toBe("AbortError");
    await entry.waiting(0);
    worker.answerJson(id, { choices: [] });
    expect((await running).status).toBe(200);
    await eventually(async () => (await busyAt(1)) === 0, "the slot is free");
    expect(worker.frames.waiting).toBe(0);
  });

  test("is cancelled at the worker of another server when its client leaves before the answer", async () => {
    const worker = await cluster.workerOfM(1);
    const leaver = new AbortController();
    const asked = gone(entry.chat("m", {}, { signal: leaver.signal }));
    const { id } = await worker.request();
    leaver.abort();
    expect(await asked).toBe("AbortError");
    expect(await worker.reset()).toMatchObject({ type: "reset", id, code: "canceled" });
    expect(await busyAt(1)).toBe(1);
    worker.breakOff(id, "canceled");
    await eventually(async () => (await busyAt(1)) === 0, "the slot is free");
  });

  test("is cancelled at the worker of another server when its client leaves mid-stream", async () => {
    const worker = await cluster.workerOfM(1);
    const leaver = new AbortController();
    const asked = entry.chat("m", { stream: true }, { signal: leaver.signal });
    const { id } = await worker.request();
    worker.head(id, 200, undefined, "data: 0\n\n");
    await (await asked).body?.getReader().read();
    leaver.abort();
    expect(await worker.reset()).toMatchObject({ type: "reset", id, code: "canceled" });
    worker.breakOff(id, "canceled");
    await eventually(async () => (await busyAt(1)) === 0, "the slot is free");
  });

  test("is answered by another worker if the first one is lost before its first byte, on whichever server", async () => {
    const first = await cluster.workerOfM(1, { worker_id: "first" });
    const asked = entry.chat("m");
    await first.request();
    const second = await cluster.workerOfM(2, { worker_id: "second" });
    first.kill();
    const { id } = await second.request();
    second.answerJson(id, { choices: [], is: "second" });
    expect(await (await asked).json()).toEqual({ choices: [], is: "second" });
  });

  test("ends with an error event, and without [DONE], if the worker of another server is lost mid-stream", async () => {
    const worker = await cluster.workerOfM(1);
    const asked = entry.chat("m", { stream: true });
    const { id } = await worker.request();
    worker.head(id, 200, undefined, "data: 0\n\n");
    const response = await asked;
    worker.kill();
    const text = await response.text();
    expect(text).toContain('"error"');
    expect(text).not.toContain("[DONE]");
  });

  test("is divided over the workers of all servers if it asks for many embeddings, and merged in order", async () => {
    const sizes = [0, 0, 0];
    const [batches, largest] = [
      [3, 4, 5],
      [0, 0, 0],
    ];
    for (const [at, most] of batches.entries()) {
      const worker = await cluster.workerOfM(at, { embedding_batch_size: most });
      void serveEmbeddings(worker, (count) => {
        largest[at] = Math.max(largest[at] ?? 0, count);
        sizes[at] = (sizes[at] ?? 0) + count;
      });
    }
    await eventually(async () => (await groupsAt(0)) === JOINED, "the entry server knows all three workers");
    const input = Array.from({ length: 60 }, (_, at) => `t${at}`);
    const response = await entry.post("/v1/embeddings", { model: "m", input });
    expect(response.status).toBe(200);
    const { data, usage } = (await response.json()) as {
      data: { index: number; embedding: number[] }[];
      usage: object;
    }; // from the workers here
    expect(data.map(({ index }) => index)).toEqual(input.map((_, at) => at));
    expect(data.map(({ embedding }) => embedding)).toEqual(input.map((_, at) => [at, 0.5]));
    expect(usage).toEqual({ prompt_tokens: 60, total_tokens: 60 });
    // No part is larger than its worker takes, which a worker's server tells the others.
    for (const [at, most] of batches.entries()) expect(largest[at]).toBeLessThanOrEqual(most);
    for (const size of sizes) expect(size).toBeGreaterThan(0);
    expect(sizes.reduce((sum, each) => sum + each, 0)).toBe(60);
  });

  /** The number of servers with a worker, as the server at this place knows them. */
  async function groupsAt(at: number): Promise<number> {
    const { cluster: seen } = (await (await cluster.server(at).fetch("/api/state")).json()) as {
      cluster: { servers: readonly { workers: number }[] };
    }; // the State API's own tests check this shape
    return seen.servers.filter(({ workers: count }) => count > 0).length;
  }
});

/** Answers each part with a vector that names its text. */
async function serveEmbeddings(worker: NativeWorker, onPart: (count: number) => void): Promise<void> {
  for (;;) {
    const frame = await worker.request().catch(() => undefined);
    if (!frame) return;
    const { input } = JSON.parse(Buffer.from(frame.body).toString()) as { input: readonly string[] }; // a part of the test's request
    onPart(input.length);
    const data = input.map((text, index) => ({ object: "embedding", index, embedding: [Number(text.slice(1)), 0.5] }));
    const usage = { prompt_tokens: input.length, total_tokens: input.length };
    // Longer than a turn of the loop, so that other workers get parts as well.
    await Bun.sleep(20);
    worker.answerJson(frame.id, { object: "list", data, model: "m", usage });
  }
}
