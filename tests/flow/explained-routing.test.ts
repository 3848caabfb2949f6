import { afterEach, describe, expect, test } from "bun:test";
import { MODEL, sound } from "../support/audio-form.ts";
import { AudioServer, receive } from "../support/audio-server.ts";
import type { Config } from "../support/default-config.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { inboxLog } from "../support/inbox-log.ts";
import { LegacyWorker } from "../support/legacy-worker.ts";
import type { NativeWorker } from "../support/native-worker.ts";
import { CLIENT_KEY } from "../support/test-server.ts";

const EARLY_MS = 50;
const SPOOFED = [
  ["content-type", "application/json"],
  ["x-moorage-worker", "somebody-else"],
  ["X-Moorage-Reason", "because"],
] as const;

let servers: AudioServer[] = [];
let clock: FakeClock;
let log: ReturnType<typeof inboxLog>;

function start(overrides: Partial<Config> = { explainRouting: true }): AudioServer {
  clock = new FakeClock();
  log = inboxLog();
  const server = new AudioServer(
    { earlyHeadersMs: EARLY_MS, pingIntervalMs: 3_600_000, ...overrides },
    { clock, log: log.log },
  );
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers) await server.stop();
  servers = [];
});

const why = ({ headers }: Response): (string | null)[] => [
  headers.get("x-moorage-worker"),
  headers.get("x-moorage-reason"),
];

async function answer(worker: NativeWorker, response: Promise<Response>): Promise<Response> {
  const { id } = await worker.request();
  worker.head(id, 200, SPOOFED, "{}", true);
  return response;
}

describe("with EXPLAIN_ROUTING, a response says which worker served it, and why", () => {
  test("for one worker of several, and whatever the model server says", async () => {
    const server = start();
    const [a, b] = [await server.worker({ worker_id: "a" }), await server.worker({ worker_id: "b" })];
    expect(why(await answer(a, server.chat("m")))).toEqual(["a", "least_loaded"]);
    const named = server.post("/api/llm/id/b/v1/chat/completions", { model: "m", messages: [] });
    expect(why(await answer(b, named))).toEqual(["b", "named"]);
  });

  test("for the only worker of a model, of either dialect", async () => {
    const server = start();
    const worker = new LegacyWorker({
      url: server.url,
      register: { worker_id: "weird id, with\tmarks", client_key: CLIENT_KEY, models: ["m"], max_concurrency: 1 },
    });
    await worker.opened;
    await eventually(async () => (await server.state()).workers.length === 1, "the worker is here");
    const response = server.chat("m");
    worker.answerJson((await worker.request()).request_id, {});
    const [workerId, reason] = why(await response);
    expect(reason).toBe("only_worker");
    expect(workerId).toBe((await server.state()).workers[0]?.id ?? "");
    expect(workerId).toMatch(/^[A-Za-z0-9._:@-]+$/);
  });

  test("for a transcription", async () => {
    const server = start();
    const worker = await server.listener({ worker_id: "ears" });
    const response = server.transcribe([MODEL, sound(1000)]);
    worker.answerJson((await receive(worker)).request.id, { text: "hello" });
    expect(why(await response)).toEqual(["ears", "only_worker"]);
  });

  test("for embeddings, whose parts several workers may serve", async () => {
    const server = start();
    const workers = [
      await server.worker({ worker_id: "a", embedding_batch_size: 1 }),
      await server.worker({ worker_id: "b", embedding_batch_size: 1 }),
    ];
    const embed = (input: unknown): Promise<Response> => server.post("/v1/embeddings", { model: "m", input });
    const part = { object: "list", data: [{ object: "embedding", index: 0, embedding: [1] }], usage: {} };
    const both = embed(["x", "y"]);
    for (const worker of workers) worker.answerJson((await worker.request()).id, part);
    expect(why(await both)).toEqual(["a, b", "parts"]);
    const one = embed("x");
    workers[0]?.answerJson((await workers[0].request()).id, part);
    expect(why(await one)).toEqual(["a", "least_loaded"]);
    const lines = [await log.lines.takeUntil(isEnd, "job.ended"), await log.lines.takeUntil(isEnd, "job.ended")];
    expect(lines.map((line) => line["route_reason"])).toEqual(["parts", "least_loaded"]);
  });

  test("in a comment, for a stream that was opened before there was a worker", async () => {
    const server = start();
    const worker = await server.worker({ worker_id: "a" });
    const first = server.chat("m");
    const running = await worker.request();
    const waiting = server.chat("m", { stream: true });
    await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "a job waits");
    clock.advance(EARLY_MS);
    const response = await waiting;
    expect(why(response)).toEqual([null, null]);
    worker.answerJson(running.id, {});
    await first;
    const { id } = await worker.request();
    worker.head(id, 200, [["content-type", "text/event-stream"]], "data: 1\n\n", true);
    const text = await response.text();
    expect(text).toBe(": queued position=1\n: worker=a reason=only_worker\ndata: 1\n\n");
  });
});

test("without EXPLAIN_ROUTING, clients learn nothing of it, and the log has it all the same", async () => {
  const server = start({});
  const a = await server.worker({ worker_id: "a" });
  await server.worker({ worker_id: "b" });
  expect(why(await answer(a, server.chat("m")))).toEqual([null, null]);
  const line = await log.lines.takeUntil(isEnd, "job.ended");
  expect(line).toMatchObject({ worker: "a", route_reason: "least_loaded", route_score: 0.25 });
});

const isEnd = ({ event }: { readonly event: string }): boolean => event === "job.ended";
