import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../../src/config.ts";
import { shutDown } from "../../../src/shutdown.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { eventually } from "../../support/eventually.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { ServerCluster } from "../../support/server-cluster.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

const DEPS = { clock: systemClock, ids: systemIds, log: silentLog };

let cluster: ServerCluster;

afterEach(() => cluster.stop());

const startTwo = async (overrides: Partial<Config> = {}): Promise<void> => {
  cluster = await ServerCluster.start(["a", "b"], { explainRouting: true, ...overrides });
};

const says = (text: string) => ({ choices: [{ message: { content: text } }] });
const textOf = async (response: Response): Promise<string> =>
  ((await response.json()) as ReturnType<typeof says>).choices[0]?.message.content ?? "";

describe("models", () => {
  test("of all servers are listed at each, with one time of creation", async () => {
    await startTwo();
    await cluster.at("a").server.worker({ models: ["x"] });
    await cluster.at("b").server.worker({ models: ["x", "y"] });
    await cluster.knows("a", "y");
    await cluster.knows("b", "x");
    const listed = await Promise.all(
      ["a", "b"].map(async (id) => (await cluster.at(id).server.fetch("/v1/models")).json()),
    );
    expect(listed[0]).toEqual(listed[1]);
  });

  test("that no server has are not found, and those that one had a moment ago are not ready", async () => {
    await startTwo({ queueSize: 0 });
    const worker = await cluster.at("b").server.worker();
    await cluster.knows("a", "m");
    worker.close();
    await eventually(async () => (await cluster.at("b").server.state()).workers.length === 0);
    await eventually(async () => (await cluster.at("a").server.chat("m")).status === 503);
    expect((await cluster.at("a").server.chat("never")).status).toBe(404);
  });
});

describe("a request that names its worker", () => {
  test("reaches that worker on any server", async () => {
    await startTwo();
    const [first, second] = [
      await cluster.at("b").server.worker({ worker_id: "first" }),
      await cluster.at("b").server.worker({ worker_id: "second" }),
    ];
    await cluster.knows("a", "m");
    const answered = cluster
      .at("a")
      .server.post("/api/llm/id/second/v1/chat/completions", { model: "m", messages: [] });
    second.answerJson((await second.request()).id, says("second"));
    const response = await answered;
    expect(response.headers.get("x-moorage-reason")).toBe("named");
    expect(await textOf(response)).toBe("second");
    expect(first.frames.waiting).toBe(0);
    const nobody = await cluster
      .at("a")
      .server.post("/api/llm/id/nobody/v1/chat/completions", { model: "m", messages: [] });
    expect(nobody.status).toBe(404);
  });
});

describe("a failure before the first byte", () => {
  test("of a worker of another server sends the request to the next one", async () => {
    await startTwo();
    const first = await cluster.at("b").server.worker();
    await cluster.knows("a", "m");
    const answered = cluster.at("a").server.chat("m");
    await first.request();
    const second = await cluster.at("b").server.worker();
    first.kill();
    second.answerJson((await second.request()).id, says("after all"));
    expect(await textOf(await answered)).toBe("after all");
  });

  test("because a server has died sends the request elsewhere", async () => {
    cluster = await ServerCluster.start(["a", "b", "c"]);
    const onB = await cluster.at("b").server.worker();
    await cluster.knows("a", "m");
    const answered = cluster.at("a").server.chat("m");
    await onB.request();
    const onC = await cluster.at("c").server.worker();
    await cluster.at("b").cluster.close();
    onC.answerJson((await onC.request()).id, says("from c"));
    expect(await textOf(await answered)).toBe("from c");
  });
});

describe("embeddings", () => {
  test("of a large request are computed by workers of several servers, and come back in order", async () => {
    await startTwo();
    const workers = [
      await cluster.at("a").server.worker({ embedding_batch_size: 2 }),
      await cluster.at("b").server.worker({ embedding_batch_size: 3 }),
    ];
    await cluster.knows("a", "m");
    await eventually(() => cluster.at("a").cluster.presence.workersOf("llm").size === 1);
    const sizes = new Set<number>();
    for (const worker of workers)
      void serve(worker, (body) => {
        const { input } = JSON.parse(body) as { input: string[] }; // what this test has sent
        sizes.add(input.length);
        return { data: input.map((text, index) => ({ index, embedding: [Number(text)] })) };
      });
    const input = Array.from({ length: 40 }, (_, at) => `${at}`);
    const response = await cluster.at("a").server.post("/v1/embeddings", { model: "m", input });
    const { data } = (await response.json()) as { data: { index: number; embedding: number[] }[] };
    expect(data.map(({ index }) => index)).toEqual(input.map(Number));
    expect(data.map(({ embedding }) => embedding[0])).toEqual(input.map(Number));
    expect(sizes).toEqual(new Set([2, 3, ...(sizes.has(1) ? [1] : [])]));
    expect(response.headers.get("x-moorage-server")).toBe("b");
  });
});

describe("audio", () => {
  test("of many megabytes streams to a worker of another server", async () => {
    await startTwo({ plugins: ["asr"] });
    const worker = await asrWorker("b");
    await eventually(() => cluster.at("a").cluster.presence.workersOf("asr").size === 1);
    const audio = new Uint8Array(3 * 1024 * 1024).map((_, at) => at % 251);
    const form = new FormData();
    form.set("model", "m");
    form.set("file", new Blob([audio]), "a.wav");
    const answered = cluster.at("a").server.fetch("/v1/audio/transcriptions", { method: "POST", body: form });
    const request = await worker.request();
    const body = await worker.wholeBody(request);
    expect(Buffer.from(body).includes(Buffer.from(audio))).toBe(true);
    worker.answerJson(request.id, { text: "hello" });
    expect(await (await answered).json()).toEqual({ text: "hello" });
  });

  test("is sent again from the server of its client if the worker is lost", async () => {
    await startTwo({ plugins: ["asr"] });
    const first = await asrWorker("b");
    await eventually(() => cluster.at("a").cluster.presence.workersOf("asr").size === 1);
    const audio = new Uint8Array(1024 * 1024).map((_, at) => at % 249);
    const form = new FormData();
    form.set("model", "m");
    form.set("file", new Blob([audio]), "a.wav");
    const answered = cluster.at("a").server.fetch("/v1/audio/transcriptions", { method: "POST", body: form });
    await first.wholeBody(await first.request());
    const second = await asrWorker("b");
    first.kill();
    const request = await second.request();
    expect(Buffer.from(await second.wholeBody(request)).includes(Buffer.from(audio))).toBe(true);
    second.answerJson(request.id, { text: "again" });
    expect(await (await answered).json()).toEqual({ text: "again" });
  });
});

describe("a server that stops", () => {
  test("sends its waiting and its new requests to workers of the others", async () => {
    await startTwo({ drainTimeoutMs: 5000 });
    const worker = await cluster.at("b").server.worker();
    await cluster.knows("a", "m");
    const { server } = cluster.at("a");
    const running = server.chat("m");
    const waiting = server.chat("m");
    const first = await worker.request();
    await eventually(() => server.app.plugins.some(({ reports }) => reports?.pulse?.()?.queue?.waiting === 1));
    const stopped = shutDown(server.app, server.listening, server.config, DEPS);
    await eventually(async () => (await server.fetch("/healthz")).status === 503);
    worker.answerJson(first.id, says("running"));
    worker.answerJson((await worker.request()).id, says("waiting"));
    expect([await textOf(await running), await textOf(await waiting)]).toEqual(["running", "waiting"]);
    const late = server.chat("m");
    worker.answerJson((await worker.request()).id, says("late"));
    expect(await textOf(await late)).toBe("late");
    await stopped;
  });
});

test("a job that came from a server is never sent on to another one", async () => {
  cluster = await ServerCluster.start(["a", "b", "c"]);
  const onB = await cluster.at("b").server.worker();
  const onC = await cluster.at("c").server.worker();
  await eventually(() => cluster.at("a").cluster.presence.workersOf("llm").size === 2);
  const answers = Array.from({ length: 6 }, () => cluster.at("a").server.chat("m"));
  void serve(onB, () => says("b"));
  void serve(onC, () => says("c"));
  for (const answer of answers) expect((await answer).status).toBe(200);
  for (const id of ["b", "c"]) expect(cluster.at(id).cluster.sights?.reports.facts().counts.jobsOut).toBe(0);
});

function asrWorker(id: string): Promise<NativeWorker> {
  const { url } = cluster.at(id).server;
  const register = { client_key: CLIENT_KEY, models: ["m"], max_concurrency: 1 };
  return NativeWorker.connect({ url, path: "/api/asr/connect", register });
}

/** Answers each request of a worker, until none has come for a while. */
async function serve(worker: NativeWorker, answerTo: (body: string) => unknown): Promise<void> {
  for (;;) {
    const request = await worker.request().catch(() => undefined);
    if (!request) return;
    worker.answerJson(request.id, answerTo(Buffer.from(request.body).toString()));
  }
}
