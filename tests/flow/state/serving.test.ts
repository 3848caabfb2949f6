import { afterEach, expect, test } from "bun:test";
import type { ModelAreaState } from "../../../src/models/area-state.ts";
import type { ServerState } from "../../../src/state/server-state.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY, TestServer } from "../../support/test-server.ts";

// How workers serve their models, in the State API: their measured speed, and who is out because of failures.

let server: TestServer;
let clock: FakeClock;
afterEach(() => server.stop());

interface Envelope {
  readonly server: ServerState;
  readonly plugins: { readonly llm: ModelAreaState };
}

/** The shapes are those of the server's own types, of which this is the copy that travels. */
const envelope = async (): Promise<Envelope> => (await server.fetch("/api/state")).json() as Promise<Envelope>;

function start(): void {
  clock = new FakeClock();
  server = new TestServer({ adminKeys: [API_KEY], pingIntervalMs: 3_600_000, queueTimeoutMs: 600_000 }, { clock });
}

/** Sends a stream to the only free worker: its first byte comes after one second, its end two seconds later. */
async function stream(worker: NativeWorker): Promise<void> {
  const answer = server.chat("m", { stream: true, stream_options: { include_usage: true } });
  const { id } = await worker.request();
  clock.advance(1000);
  worker.head(id, 200, [["content-type", "text/event-stream"]], "data: 1\n\n");
  const response = await answer;
  clock.advance(2000);
  const usage = { prompt_tokens: 500, completion_tokens: 100, prompt_tokens_details: { cached_tokens: 300 } };
  worker.data(id, `data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`, true);
  await response.text();
}

test("a worker and its model have their measured speed after five jobs, without input from caches", async () => {
  start();
  const worker = await server.worker({ worker_id: "w" });
  for (let job = 0; job < 4; job += 1) await stream(worker);
  expect((await envelope()).plugins.llm.workers[0]).toMatchObject({ speeds: [], ejections: [] });
  await stream(worker);
  const { llm } = (await envelope()).plugins;
  expect(llm.workers[0]?.speeds).toEqual([{ model: "m", prefill_tokens_per_s: 200, decode_tokens_per_s: 50 }]);
  expect(llm.models[0]).toMatchObject({ prefill_tokens_per_s: 200, decode_tokens_per_s: 50, cached_share: 0.6 });
});

test("a worker that failed too often is shown as out with reason and time, until it has served a job", async () => {
  start();
  const bad = await server.worker({ worker_id: "bad", worker_name: "the bad one" });
  const good = await server.worker({ worker_id: "good", max_concurrency: 2 });
  const askBad = (): Promise<Response> =>
    server.post("/api/llm/id/bad/v1/chat/completions", { model: "m", messages: [] });
  for (let job = 0; job < 5; job += 1) {
    const answer = askBad();
    bad.answerJson((await bad.request()).id, { error: "broken" }, 500);
    await answer;
  }
  clock.advance(1000);
  const { llm } = (await envelope()).plugins;
  const now = clock.now();
  expect(llm.workers.find(({ id }) => id === "bad")?.ejections).toEqual([
    {
      model: "m",
      reason: "status 500",
      since: new Date(now - 1000).toISOString(),
      until: new Date(now + 4000).toISOString(),
    },
  ]);
  expect(llm.models[0]).toMatchObject({ workers: 2, out: 1 });
  const { problems } = (await envelope()).server;
  expect(problems.find(({ code }) => code === "worker_ejected")).toMatchObject({
    severity: "warning",
    plugin: "llm",
    title: "'the bad one' gets no requests for 'm': it failed too often.",
    advice: expect.stringContaining(new Date(now + 4000).toISOString().slice(11, 19)),
  });
  let metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain('moorage_workers_out{plugin="llm"} 1\n');
  expect(metrics).toContain('moorage_ejections_total{plugin="llm"} 1\n');
  expect(metrics).not.toContain("the bad one");

  clock.advance(4000);
  const probe = askBad();
  bad.answerJson((await bad.request()).id, {});
  expect((await probe).status).toBe(200);
  clock.advance(1000);
  expect((await envelope()).plugins.llm.workers.flatMap(({ ejections }) => ejections)).toEqual([]);
  expect((await envelope()).server.problems.map(({ code }) => code)).not.toContain("worker_ejected");
  metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain('moorage_workers_out{plugin="llm"} 0\n');
  good.close();
});

/** Answers every request as a model server that computes every prompt from its beginning, until none comes for a while. */
async function answerAll(worker: NativeWorker): Promise<void> {
  const usage = { prompt_tokens: 400, prompt_tokens_details: { cached_tokens: 0 } };
  for (;;) {
    const request = await worker.request().catch(() => undefined);
    if (!request) return;
    worker.answerJson(request.id, { usage });
  }
}

test("a worker whose model server does not keep prompts is shown until it is tried again", async () => {
  start();
  for (const worker_id of ["w1", "w2"]) void answerAll(await server.worker({ worker_id }));
  const messages = [{ role: "user", content: "Tell me of the harbour and its buoys. ".repeat(50) }];
  for (let job = 0; job < 21; job += 1) await (await server.chat("m", { messages })).text();
  clock.advance(1000);
  const until = new Date(clock.now() + 600_000 - 1000).toISOString();
  const off = (await envelope()).plugins.llm.workers.map(({ affinity_off }) => affinity_off);
  expect(off).toContainEqual([{ model: "m", until }]);
  const { problems } = (await envelope()).server;
  expect(problems.find(({ code }) => code === "affinity_off")).toMatchObject({ severity: "info", plugin: "llm" });
  expect(await (await server.fetch("/metrics")).text()).toContain('moorage_affinity_off{plugin="llm"} 1\n');
  clock.advance(600_000);
  clock.advance(1000);
  expect((await envelope()).plugins.llm.workers.flatMap(({ affinity_off }) => affinity_off)).toEqual([]);
  expect((await envelope()).server.problems.map(({ code }) => code)).not.toContain("affinity_off");
});
