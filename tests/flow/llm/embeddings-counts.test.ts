import { afterEach, expect, test } from "bun:test";
import { createLog } from "../../../src/system/log.ts";
import { eventually } from "../../support/eventually.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;
afterEach(() => server.stop());

function start(): { readonly ends: () => readonly Readonly<Record<string, unknown>>[] } {
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", now: Date.now, write: (line) => void lines.push(line) });
  server = new TestServer({ queueTimeoutMs: 200 }, { log });
  return { ends: () => lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "job.ended") };
}

/** Answers each part, or fails it. */
async function serve(worker: NativeWorker, isBroken = false): Promise<void> {
  for (;;) {
    const frame = await worker.request().catch(() => undefined);
    if (!frame) return;
    const inputs: unknown[] = JSON.parse(Buffer.from(frame.body).toString()).input;
    const data = inputs.map((_, index) => ({ object: "embedding", index, embedding: [1, 2] }));
    if (isBroken) worker.answerJson(frame.id, {}, 500);
    else worker.answerJson(frame.id, { object: "list", data, model: "m", usage: { prompt_tokens: inputs.length } });
  }
}

const embed = (count: number): Promise<Response> =>
  server.post("/v1/embeddings", { model: "m", input: Array.from({ length: count }, (_, at) => `t${at}`) });

async function metric(pattern: RegExp): Promise<string | undefined> {
  const text = await (await server.fetch("/metrics")).text();
  return pattern.exec(text)?.[1];
}
const COUNTED = /^moorage_jobs_total\{plugin="llm",model="m",outcome="completed"\} (\d+)$/m;

test("a request for embeddings counts as one in state, metrics and log, whatever the number of its parts", async () => {
  const { ends } = start();
  for (let each = 0; each < 2; each += 1) void serve(await server.worker({ embedding_batch_size: 2 }));
  expect((await embed(10)).status).toBe(200);

  const [end] = ends();
  expect(ends()).toHaveLength(1);
  expect(end).toMatchObject({ outcome: "completed", status: 200, parts: 5, attempts: 1, input_tokens: 10 });
  const state = await server.state();
  expect(state.server).toMatchObject({ jobs_completed_total: 1, jobs_failed_total: 0, jobs_inflight_total: 0 });
  expect(state.models).toMatchObject([{ name: "m", requests_total: 1 }]);
  expect(await metric(COUNTED)).toBe("1");
  expect(await metric(/^moorage_job_duration_seconds_count\{plugin="llm",model="m"\} (\d+)$/m)).toBe("1");
  expect(await metric(/^moorage_tokens_total\{plugin="llm",model="m",direction="input"\} (\d+)$/m)).toBe("10");
  // A worker's own count is of the jobs that it had: it knows nothing of requests.
  const processed = state.workers.map((worker) => Number(worker["processed_total"]));
  expect(processed.reduce((sum, each) => sum + each, 0)).toBe(5);
});

test("a part that another worker has to repeat is a retry of the request, and a failure of the first worker alone", async () => {
  const { ends } = start();
  void serve(await server.worker({ embedding_batch_size: 2, worker_id: "well" }));
  void serve(await server.worker({ embedding_batch_size: 2, worker_id: "broken" }), true);
  expect((await embed(8)).status).toBe(200);
  expect(ends()).toHaveLength(1);
  expect(ends()[0]).toMatchObject({ outcome: "completed", attempts: 2 });
  const state = await server.state();
  expect(state.server).toMatchObject({ jobs_completed_total: 1, jobs_failed_total: 0 });
  expect(state.workers.find(({ id }) => id === "broken")).toMatchObject({ failures_total: 1 });
});

test("a request that fails or is given up counts once, as failed or canceled", async () => {
  const { ends } = start();
  const worker = await server.worker({ embedding_batch_size: 1, max_concurrency: 2 });
  void serve(worker, true);
  expect((await embed(4)).status).toBe(500);
  expect(ends().map(({ outcome }) => outcome)).toEqual(["failed"]);
  worker.kill();
  await eventually(async () => (await server.state()).workers.length === 0, "it is gone");

  await server.worker({ embedding_batch_size: 1, max_concurrency: 2 });
  const abort = new AbortController();
  const left = server.post("/v1/embeddings", { model: "m", input: ["a", "b", "c"] }, { signal: abort.signal });
  await eventually(async () => (await server.state()).server["jobs_inflight_total"] === 1, "it runs");
  abort.abort();
  await expect(left).rejects.toThrow();
  await eventually(() => ends().length === 2, "it has ended");
  expect(ends().map(({ outcome }) => outcome)).toEqual(["failed", "canceled"]);
  expect((await server.state()).server).toMatchObject({ jobs_inflight_total: 0, jobs_failed_total: 1 });
});

test("a request that no worker serves counts once, as refused", async () => {
  const { ends } = start();
  await server.worker({ models: ["other"] });
  expect((await embed(3)).status).toBe(404);
  expect(ends()).toMatchObject([{ outcome: "failed", reason: "model_not_found", attempts: 0 }]);
  expect(await metric(/^moorage_rejections_total\{plugin="llm",reason="model_not_found"\} (\d+)$/m)).toBe("1");
});
