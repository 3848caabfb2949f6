import { afterEach, expect, test } from "bun:test";
import type { ModelAreaState } from "../../../src/models/area-state.ts";
import type { ServerState } from "../../../src/state/server-state.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { API_KEY, TestServer } from "../../support/test-server.ts";

// Who waits, and what becomes of it, in the State API and in the metrics.

const OTHER_KEY = "another-api-key";

let server: TestServer;
let clock: FakeClock;
afterEach(() => server.stop());

interface Envelope {
  readonly server: ServerState;
  readonly plugins: { readonly llm: ModelAreaState };
}

/** The shapes are those of the server's own types, of which this is the copy that travels. */
const envelope = async (): Promise<Envelope> => (await server.fetch("/api/state")).json() as Promise<Envelope>;
const codes = async (): Promise<readonly string[]> => (await envelope()).server.problems.map(({ code }) => code);

function start(queueSize: number): void {
  clock = new FakeClock();
  server = new TestServer(
    {
      apiKeys: [API_KEY, OTHER_KEY],
      adminKeys: [API_KEY],
      queueSize,
      pingIntervalMs: 3_600_000,
      queueTimeoutMs: 600_000,
    },
    { clock },
  );
}

function ask(key: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return server.chat("m", {}, { headers: { authorization: `Bearer ${key}`, ...headers } });
}

async function waiting(count: number): Promise<void> {
  await eventually(async () => (await envelope()).plugins.llm.server.scheduler_queue_len === count);
}

test("the state says who waits for how long, whose jobs run, and for which model", async () => {
  start(10);
  const worker = await server.worker({ max_concurrency: 1, loaded: ["m"] });
  const first = ask(API_KEY);
  const { id } = await worker.request();
  const others = [ask(API_KEY), ask(API_KEY), ask(OTHER_KEY, { "x-moorage-priority": "background" })];
  await waiting(3);
  clock.advance(5000);
  const { llm } = (await envelope()).plugins;
  expect(llm.callers).toMatchObject([
    { name: "api-key:1", class: "normal", waiting: 2, running: 1, oldest_wait_ms: 5000, share: 0, fair_share: 0.5 },
    { name: "api-key:2", class: "background", waiting: 1, running: 0, oldest_wait_ms: 5000, fair_share: 0.5 },
  ]);
  expect(llm.models[0]).toMatchObject({
    waiting: 3,
    loaded: 1,
    waiting_by: [
      { caller: "api-key:1", waiting: 2 },
      { caller: "api-key:2", waiting: 1 },
    ],
  });
  expect(llm.workers[0]).toMatchObject({ loaded: ["m"] });
  expect((await envelope()).plugins.llm.jobs.map((job) => [job.caller, job.class])).toEqual([
    ["api-key:1", "normal"],
    ["api-key:1", "normal"],
    ["api-key:1", "normal"],
    ["api-key:2", "background"],
  ]);
  const metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain('moorage_queue_waiting{plugin="llm",class="normal"} 2\n');
  expect(metrics).toContain('moorage_queue_waiting{plugin="llm",class="background"} 1\n');
  expect(metrics).toContain('moorage_queue_flows{plugin="llm"} 2\n');
  expect(metrics).not.toContain("api-key");

  worker.answerJson(id, { usage: { prompt_tokens: 10, completion_tokens: 10 } });
  await first;
  for (const _ of others) worker.answerJson((await worker.request()).id, {});
  await Promise.all(others);
  const after = (await envelope()).plugins.llm.callers;
  expect(after.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 1);
  clock.advance(70_000);
  expect((await envelope()).plugins.llm.callers.filter(({ running, waiting }) => running + waiting > 0)).toEqual([]);
});

test("a caller that fills the queue, and a queue that pushes its jobs out for others, are problems", async () => {
  start(4);
  const worker = await server.worker({ max_concurrency: 1 });
  const running = ask(API_KEY);
  const { id } = await worker.request();
  const held = [ask(API_KEY), ask(API_KEY), ask(API_KEY), ask(API_KEY)];
  await waiting(4);
  clock.advance(1000);
  expect(await codes()).toContain("caller_fills_queue");
  expect(await codes()).not.toContain("queue_pushing_out");
  expect((await envelope()).server.pools).toEqual([
    {
      plugin: "llm",
      slots_used: 1,
      slots_total: 1,
      waiting: 4,
      queue_capacity: 4,
      workers: { idle: 0, working: 1, not_ready: 0, draining: 0 },
      tokens_per_s: 0,
      tokens_estimated: false,
    },
  ]);

  const newcomer = ask(OTHER_KEY);
  const pushedOut = await Promise.race(held);
  expect(pushedOut.status).toBe(503);
  clock.advance(1000);
  expect(await codes()).toContain("queue_pushing_out");
  const { problems } = (await envelope()).server;
  expect(problems.find(({ code }) => code === "caller_fills_queue")?.title).toContain("'api-key:1'");
  const metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain('moorage_queue_pushouts_total{plugin="llm",class="normal"} 1\n');

  worker.answerJson(id, {});
  await running;
  for (let each = 0; each < 4; each += 1) worker.answerJson((await worker.request()).id, {});
  await Promise.all([...held, newcomer]);
  clock.advance(60_000);
  clock.advance(5000);
  expect(await codes()).not.toContain("queue_pushing_out");
  expect(await codes()).not.toContain("caller_fills_queue");
});
