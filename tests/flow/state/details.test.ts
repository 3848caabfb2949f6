import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { POINT_MS } from "../../../src/figures/timeline.ts";
import type { JobDetail, ModelDetail, WorkerDetail } from "../../../src/plugin/details.ts";
import { jobDetailSchema, modelDetailSchema, workerDetailSchema } from "../../../src/state/detail-schema.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY, TestServer } from "../../support/test-server.ts";

let server: TestServer;
let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
  // No worker falls silent only because an hour passes at once.
  server = new TestServer({ adminKeys: [API_KEY], pingIntervalMs: 3_600_000, queueTimeoutMs: 600_000 }, { clock });
});
afterEach(() => server.stop());

/** Reads one worker, model or job, as the schema of the API's description has it. */
async function read(path: string): Promise<unknown> {
  const response = await server.fetch(`/api/state/${path}`);
  expect(response.status).toBe(200);
  expect(response.headers.get("cache-control")).toBe("no-store");
  return response.json();
}

const worker = async (id: string): Promise<WorkerDetail> =>
  v.parse(workerDetailSchema, await read(`workers/${id}`)) as WorkerDetail;
const model = async (id: string): Promise<ModelDetail> =>
  v.parse(modelDetailSchema, await read(`models/${id}`)) as ModelDetail;
const job = async (id: string): Promise<JobDetail> => v.parse(jobDetailSchema, await read(`jobs/${id}`)) as JobDetail;

const codeOf = async (path: string): Promise<string> => {
  const body = (await (await server.fetch(`/api/state/${path}`)).json()) as { error: { code: string } };
  return body.error.code;
};

const USAGE = 'data: {"usage":{"prompt_tokens":10,"completion_tokens":20}}\n\ndata: [DONE]\n\n';

/** Serves one request, `ms` after it was sent. */
async function serve(by: NativeWorker, id: string, ms = 0): Promise<void> {
  const answer = server.chat("m", { stream: true }, { headers: { "x-request-id": id } });
  const request = await by.request();
  clock.advance(ms);
  by.head(request.id, 200, undefined, USAGE, true);
  await (await answer).text();
}

/** Lets a worker fail one request with an answer of this status. */
async function fail(by: NativeWorker, id: string, status = 500): Promise<void> {
  const answer = server.chat("m", {}, { headers: { "x-request-id": id } });
  const request = await by.request();
  by.head(request.id, status, [], "", true);
  await answer;
}

describe("a worker", () => {
  test("tells its state, its connection, its jobs, its errors and its last quarter of an hour", async () => {
    const w = await server.worker({ worker_id: "w", worker_name: "gpu-1", version: "1.2.3", max_concurrency: 2 });
    clock.advance(POINT_MS);
    await serve(w, "one", 250);
    await fail(w, "two");
    const running = server.chat("m", {}, { headers: { "x-request-id": "three" } });
    const request = await w.request();
    clock.advance(2 * POINT_MS);

    const told = await worker("w");
    expect(told).toMatchObject({ id: "w", plugin: "llm", name: "gpu-1", connected: true, restriction: null });
    expect(told.worker).toMatchObject({ id: "w", status: "working", inflight: 1, last_error: "status 500" });
    expect(told.sessions).toMatchObject([{ gone_at: null, reason: null, version: "1.2.3", dialect: "native" }]);
    expect(told.jobs).toMatchObject([{ request_id: "three", status: "running", worker: { id: "w", name: "gpu-1" } }]);
    expect(told.errors).toMatchObject([
      {
        request_id: "two",
        kind: "chat.completions",
        model: "m",
        worker: { id: "w", name: "gpu-1" },
        caller: "api-key:1",
        reason: "status 500",
        cause: "backend",
        retried: false,
      },
    ]);
    const { samples, interval_ms, capacity } = told.history;
    expect({ interval_ms, capacity }).toEqual({ interval_ms: 5000, capacity: 180 });
    expect(samples.requests).toEqual([0, 2, 0]);
    expect(samples.failures).toEqual([0, 1, 0]);
    expect(samples.tokens_per_s).toEqual([0, 4, 0]);
    expect(samples.first_byte_ms).toEqual([null, 125, null]);
    expect(samples.slots_used).toEqual([0, 1, 1]);
    expect(samples.slots_total).toEqual([2, 2, 2]);
    expect(samples.at.map((at) => (at ?? 0) % POINT_MS)).toEqual([0, 0, 0]);
    w.head(request.id, 200, [], "{}", true);
    await running;
  });

  test("is remembered for an hour after it has left, with the reason, and goes on when it is back", async () => {
    const w = await server.worker({ worker_id: "w", worker_name: "gpu-1" });
    clock.advance(2 * POINT_MS);
    w.close();
    await eventually(async () => !(await worker("w")).connected);
    clock.advance(POINT_MS);
    const gone = await worker("w");
    expect(gone.worker).toMatchObject({ id: "w", name: "gpu-1" });
    expect(gone.sessions).toMatchObject([{ reason: expect.stringMatching(/./) }]);
    expect(gone.sessions[0]?.gone_at).toBe(new Date(clock.now() - POINT_MS).toISOString());
    expect(gone.history.samples.slots_total).toEqual([1, 1, null]);

    await server.worker({ worker_id: "w", worker_name: "gpu-1 again" });
    clock.advance(POINT_MS);
    const back = await worker("w");
    expect(back).toMatchObject({ connected: true, name: "gpu-1 again" });
    expect(back.sessions.map(({ gone_at }) => gone_at === null)).toEqual([true, false]);
    expect(back.history.samples.slots_total).toEqual([1, 1, null, 1]);

    expect((await server.post("/api/state/workers/w/disconnect", {})).status).toBe(200);
    await eventually(async () => !(await worker("w")).connected);
    expect((await worker("w")).sessions[0]?.reason).toBe("disconnected by an operator");
    clock.advance(60 * 60_000 + 1);
    expect(await codeOf("workers/w")).toBe("worker_not_found");
  });

  test("tells who has drained it", async () => {
    await server.worker({ worker_id: "w" });
    await server.post("/api/state/workers/w/drain", {});
    expect((await worker("w")).restriction?.drained).toMatchObject({ by: "admin-key:1" });
  });

  test("that nobody knows is a 404, and so is one of another plugin", async () => {
    await server.worker({ worker_id: "w" });
    expect(await codeOf("workers/nobody")).toBe("worker_not_found");
    expect(await codeOf("workers/w?plugin=llm%20")).toBe("invalid_request");
    expect((await server.fetch("/api/state/workers/w?plugin=llm")).status).toBe(200);
  });
});

describe("a model", () => {
  test("tells its workers, its queue, its speed, its totals and its failures by cause", async () => {
    const w = await server.worker({ worker_id: "w", models: ["org/m:8b"] });
    const chat = (id: string) => server.chat("org/m:8b", { stream: true }, { headers: { "x-request-id": id } });
    clock.advance(POINT_MS);
    const first = chat("first");
    const request = await w.request();
    const second = chat("second");
    await eventually(async () => (await model("org%2Fm%3A8b")).waiting === 1);
    clock.advance(1000);
    w.head(request.id, 200, undefined, USAGE, true);
    await (await first).text();
    const next = await w.request();
    w.head(next.id, 502, [], "", true);
    await second;
    clock.advance(2 * POINT_MS);

    const told = await model("org/m:8b");
    expect(told).toMatchObject({
      id: "org/m:8b",
      plugin: "llm",
      workers: [{ id: "w", name: "w", status: "idle", slots_used: 0, slots_total: 1, inflight: 0, out: false }],
      workers_total: 1,
      slots_free: 1,
      slots_total: 1,
      waiting: 0,
      oldest_waiting_ms: null,
      totals: { requests: 2, failures: 1, input_tokens: 10, output_tokens: 20 },
      causes: { rejected: 0, timeout: 0, backend: 1, lost: 0, other: 0 },
      errors: [{ request_id: "second", worker: { id: "w" }, reason: "status 502", cause: "backend" }],
    });
    expect(told.first_byte_p95_ms).toBe(1000);
    expect(told.history.samples.requests).toEqual([0, 2, 0]);
    expect(told.history.samples.workers).toEqual([1, 1, 1]);
  });

  test("that no worker ever had is a 404, whatever a client has asked for", async () => {
    await server.chat("invented");
    expect(await codeOf("models/invented")).toBe("model_not_found");
  });
});

describe("a job", () => {
  test("is found by its id and by its request's while it waits, runs and after its end", async () => {
    const w = await server.worker({ worker_id: "w", worker_name: "gpu-1" });
    const first = server.chat("m", { stream: true }, { headers: { "x-request-id": "first" } });
    const request = await w.request();
    const second = server.chat("m", {}, { headers: { "x-request-id": "second" } });
    await eventually(async () => (await server.state()).jobs.length === 2);
    clock.advance(700);
    expect(await job("second")).toMatchObject({ status: "waiting", position: 1, worker: null, waiting_ms: 700 });
    const running = await job("first");
    expect(running).toMatchObject({ status: "running", worker: { id: "w", name: "gpu-1" }, running_ms: 700 });
    expect(await job(running.id ?? "")).toEqual(running);

    w.head(request.id, 200, undefined, USAGE, true);
    await (await first).text();
    const ended = await job(running.id ?? "");
    expect(ended).toMatchObject({
      id: running.id,
      request_id: "first",
      plugin: "llm",
      kind: "chat.completions",
      model: "m",
      status: "completed",
      caller: "api-key:1",
      class: "normal",
      worker: { id: "w", name: "gpu-1" },
      route: "only_worker",
      reason: null,
      http_status: 200,
      attempts: [{ worker: { id: "w" }, status: "completed", reason: null, running_ms: 700 }],
      accepted_at: running.accepted_at,
      first_byte_ms: 700,
      input_tokens: 10,
      output_tokens: 20,
      estimated: false,
    });
    expect(ended.ended_at).toBe(new Date(clock.now()).toISOString());

    const next = await w.request();
    w.head(next.id, 200, [], "{}", true);
    await second;
  });

  test("tells each attempt of a request that failed, and why", async () => {
    const one = await server.worker({ worker_id: "one" });
    const answer = server.chat("m", {}, { headers: { "x-request-id": "unlucky" } });
    await one.request();
    const two = await server.worker({ worker_id: "two", worker_name: "second" });
    one.kill();
    const request = await two.request();
    two.head(request.id, 503, [], "", true);
    expect((await answer).status).toBe(503);
    expect(await job("unlucky")).toMatchObject({
      status: "failed",
      cause: "backend",
      http_status: 503,
      attempts: [
        { worker: { id: "one" }, status: "failed", reason: "lost", cause: "lost" },
        { worker: { id: "two", name: "second" }, status: "failed", reason: "status 503", cause: "backend" },
      ],
    });
    expect((await worker("one")).errors).toMatchObject([{ request_id: "unlucky", reason: "lost", retried: false }]);
  });

  test("that is not remembered is a 404", async () => {
    expect(await codeOf("jobs/never")).toBe("job_not_found");
  });
});
