import { afterEach, expect, test } from "bun:test";
import type { JobState } from "../../../src/models/job-state.ts";
import type { ModelState } from "../../../src/models/model-state.ts";
import type { WorkerState } from "../../../src/models/worker-state.ts";
import type { Sample } from "../../../src/state/history.ts";
import type { ServerState } from "../../../src/state/server-state.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { API_KEY, TestServer } from "../../support/test-server.ts";

interface Envelope {
  readonly server: ServerState;
  readonly plugins: {
    readonly llm: {
      readonly jobs: readonly JobState[];
      readonly models: readonly ModelState[];
      readonly workers: readonly WorkerState[];
    };
  };
}

let server: TestServer;
let clock: FakeClock;
afterEach(() => server.stop());

/** The shapes are those of the server's own types, of which this is the copy that travels. */
const envelope = async (): Promise<Envelope> => (await server.fetch("/api/state")).json() as Promise<Envelope>;
const jobs = async (): Promise<readonly JobState[]> => (await envelope()).plugins.llm.jobs;

/** A server whose seconds pass when a test says so. */
function start(): void {
  clock = new FakeClock();
  // No worker falls silent only because an hour passes at once.
  server = new TestServer({ adminKeys: [API_KEY], pingIntervalMs: 3_600_000, queueTimeoutMs: 600_000 }, { clock });
}

test("a job is listed from its acceptance to its end as waiting, running and streaming, and never with its contents", async () => {
  start();
  const worker = await server.worker({ worker_id: "w" });
  const first = server.chat("m", { stream: true }, { headers: { "x-request-id": "first-job" } });
  const request = await worker.request();
  const second = server.chat("m", {}, { headers: { "x-request-id": "second-job" } });
  await eventually(async () => (await jobs()).length === 2);

  clock.advance(1500);
  const [running, waiting, none] = await jobs();
  expect(none).toBeUndefined();
  expect(running).toEqual({
    id: expect.stringMatching(/^[A-Za-z0-9-]{1,32}~llm-[a-z0-9-]+$/),
    request_id: "first-job",
    kind: "chat.completions",
    model: "m",
    worker: "w",
    worker_name: "w",
    reason: "only_worker",
    caller: "api-key:1",
    end_user: null,
    class: "normal",
    status: "running",
    position: null,
    started_at: new Date(clock.now() - 1500).toISOString(),
    waiting_ms: 0,
    running_ms: 1500,
    first_byte_ms: null,
    bytes_out: 0,
  } as unknown as JobState); // An asymmetric matcher stands for one string.
  expect(waiting).toMatchObject({
    request_id: "second-job",
    worker: null,
    reason: null,
    status: "waiting",
    position: 1,
    waiting_ms: 1500,
    running_ms: 0,
  });
  expect(waiting?.id).not.toBe(running?.id);

  worker.head(request.id, 200, undefined, "data: secret\n\n");
  await eventually(async () => (await jobs())[0]?.status === "streaming");
  const text = JSON.stringify(await envelope());
  expect((await jobs())[0]?.bytes_out).toBe(14);
  expect(text).not.toContain("secret");
  expect(text).not.toContain("hello");

  worker.end(request.id);
  await (await first).text();
  const next = await worker.request();
  expect(await jobs()).toMatchObject([{ request_id: "second-job", status: "running", worker: "w", waiting_ms: 1500 }]);
  worker.answerJson(next.id, {});
  await (await second).text();
  expect(await jobs()).toEqual([]);
});

test("a model reports its slots, its running and waiting jobs, and its output speed", async () => {
  start();
  const worker = await server.worker({ worker_id: "w", max_concurrency: 2 });
  await server.worker({ worker_id: "other", models: ["n"], max_concurrency: 3 });
  const answers = [server.chat("m"), server.chat("m"), server.chat("m")];
  const [one, two] = [await worker.request(), await worker.request()];
  await eventually(async () => (await jobs()).length === 3);
  const before = await envelope();
  expect(before.plugins.llm.models).toEqual([
    {
      name: "m",
      type: null,
      context_length: null,
      input_modalities: null,
      workers: 1,
      loaded: null,
      out: 0,
      prefill_tokens_per_s: null,
      decode_tokens_per_s: null,
      slots_free: 0,
      slots_total: 2,
      inflight: 2,
      waiting: 1,
      waiting_by: [{ caller: "api-key:1", waiting: 1 }],
      requests_total: 0,
      failures_total: 0,
      output_tokens_total: 0,
      first_byte_p50_ms: null,
      first_byte_p95_ms: null,
      tokens_per_s: 0,
      cached_share: null,
    },
    {
      name: "n",
      type: null,
      context_length: null,
      input_modalities: null,
      workers: 1,
      loaded: null,
      out: 0,
      prefill_tokens_per_s: null,
      decode_tokens_per_s: null,
      slots_free: 3,
      slots_total: 3,
      inflight: 0,
      waiting: 0,
      waiting_by: [],
      requests_total: 0,
      failures_total: 0,
      output_tokens_total: 0,
      first_byte_p50_ms: null,
      first_byte_p95_ms: null,
      tokens_per_s: 0,
      cached_share: null,
    },
  ]);
  expect(before.plugins.llm.workers[0]).toMatchObject({ operator_drained: false, tokens_per_s: null });

  worker.answerJson(one.id, {
    usage: { prompt_tokens: 400, completion_tokens: 600, prompt_tokens_details: { cached_tokens: 301 } },
  });
  worker.answerJson(two.id, { usage: { prompt_tokens: 5, completion_tokens: 300 } });
  worker.answerJson((await worker.request()).id, {});
  await Promise.all(answers);
  const after = await envelope();
  expect(after.plugins.llm.models[0]).toMatchObject({
    slots_free: 2,
    inflight: 0,
    requests_total: 3,
    tokens_per_s: 15,
    cached_share: 0.753,
  });
  clock.advance(1000);
  expect((await envelope()).server.sample).toMatchObject({ prompt_tokens: 400, cached_tokens: 301 });
  expect(after.plugins.llm.workers[0]?.tokens_per_s).toBe(15);
  clock.advance(70_000);
  expect((await envelope()).plugins.llm.workers[0]?.tokens_per_s).toBe(0);
});

test("the history has one sample per second, and the envelope holds the newest one", async () => {
  start();
  const history = async (): Promise<Record<keyof Sample, readonly (number | null)[]>> => {
    const answer = (await (await server.fetch("/api/state/history")).json()) as {
      samples: Record<keyof Sample, readonly (number | null)[]>;
    }; // As above.
    return answer.samples;
  };
  expect((await history()).at).toEqual([]);
  expect((await envelope()).server).toMatchObject({ state: "not_ready", sample: { workers_idle: 0, requests: 0 } });

  const worker = await server.worker({ max_concurrency: 2 });
  clock.advance(1000);
  expect((await envelope()).server).toMatchObject({
    state: "ready",
    uptime_s: 1,
    sample: { workers_idle: 1, slots_total: 2 },
  });

  const [good, bad] = [server.chat("m"), server.chat("m")];
  const [one, two] = [await worker.request(), await worker.request()];
  clock.advance(1000);
  worker.answerJson(one.id, { usage: { completion_tokens: 40 } });
  worker.answerJson(two.id, { error: "broken" }, 500);
  await Promise.all([good, bad]);
  clock.advance(1000);
  clock.advance(1000);
  const samples = await history();
  expect(samples.at).toEqual([3, 2, 1, 0].map((back) => clock.now() - back * 1000));
  expect(samples.workers_working).toEqual([0, 1, 0, 0]);
  expect(samples.slots_used).toEqual([0, 2, 0, 0]);
  expect(samples.requests).toEqual([0, 0, 2, 0]);
  expect(samples.failures).toEqual([0, 0, 1, 0]);
  expect(samples.tokens).toEqual([0, 0, 40, 0]);
  expect(samples.bytes[2]).toBeGreaterThan(40);
  expect(samples.first_byte_p50_ms.slice(0, 2)).toEqual([null, null]);
  expect(samples.first_byte_p95_ms[3]).toBeGreaterThan(950);
  expect(samples.first_byte_p95_ms[3]).toBeLessThan(1050);
  clock.advance(60_000);
  expect((await history()).first_byte_p95_ms.at(-1)).toBeNull();
});

test("bytes of an unfinished answer count in the second in which they pass", async () => {
  start();
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, "data: 1\n\n");
  await eventually(async () => (await jobs())[0]?.bytes_out === 9);
  clock.advance(1000);
  expect((await envelope()).server.sample.bytes).toBe(9);
  worker.data(id, "data: 22\n\n", true);
  await (await answer).text();
  clock.advance(1000);
  expect((await envelope()).server.sample.bytes).toBe(10);
  clock.advance(1000);
  expect((await envelope()).server.sample.bytes).toBe(0);
});

test("a server without workers, with a full model, or in a drain says so in words", async () => {
  start();
  const codes = async (): Promise<readonly string[]> => (await envelope()).server.problems.map(({ code }) => code);
  clock.advance(11_000);
  expect((await envelope()).server.problems).toMatchObject([
    { code: "no_workers", severity: "warning", plugin: null, about: {} },
  ]);
  const worker = await server.worker();
  clock.advance(1000);
  expect(await codes()).toEqual([]);

  const answers = [server.chat("m", { stream: true }), server.chat("m", { stream: true })];
  const first = await worker.request();
  await eventually(async () => (await jobs()).length === 2);
  clock.advance(60_000);
  expect(await codes()).toEqual([]);
  clock.advance(1000);
  expect(await codes()).toContain("model_saturated");
  worker.answerJson(first.id, {});
  worker.answerJson((await worker.request()).id, {});
  for (const answer of answers) await (await answer).text();
  clock.advance(5000);
  expect(await codes()).not.toContain("model_saturated");
  await server.app.drain();
  clock.advance(1000);
  expect((await envelope()).server.state).toBe("draining");
  expect(await codes()).toEqual(["draining"]);
});

test("a refusal does not count as a fast answer of the pool", async () => {
  start();
  const worker = await server.worker();
  const refused = server.chat("m");
  worker.answerJson((await worker.request()).id, { error: "broken" }, 500);
  await refused;
  clock.advance(1000);
  const { sample } = (await envelope()).server;
  expect(sample).toMatchObject({ requests: 1, failures: 1, first_byte_p50_ms: null, first_byte_p95_ms: null });
  const metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain(`moorage_first_byte_seconds_count{plugin="llm",model="m"} 0\n`);
});
