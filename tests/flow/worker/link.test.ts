import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { systemClock } from "../../../src/system/clock.ts";
import type { Clock } from "../../../src/system/deps.ts";
import { VERSION } from "../../../src/system/version.ts";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import type { Worker } from "../../../src/worker/worker.ts";
import { inboxLog } from "../../support/inbox-log.ts";
import { ScriptedServer, type ScriptedServerOptions } from "../../support/scripted-server.ts";
import { startBackend, startTestWorker, type TestWorkerOptions } from "../../support/test-worker.ts";

let server: ScriptedServer;
const running: { stop(): Promise<void> }[] = [];

beforeEach(() => {
  server = new ScriptedServer();
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
  await server.stop();
});

async function restart(options: ScriptedServerOptions): Promise<void> {
  await server.stop();
  server = new ScriptedServer(options);
}

function serve(
  settings: Partial<WorkerSettings> = {},
  options: TestWorkerOptions = {},
  handler: (request: Request) => Response | Promise<Response> = () => new Response("ok"),
): Worker {
  const backend = startBackend(handler, { models: ["b", "a"] });
  const worker = startTestWorker({ server: server.url, backend: backend.url, drainTimeoutMs: 0, ...settings }, options);
  running.push(backend, worker);
  return worker;
}

describe("a worker's registration", () => {
  test("says who the worker is and what it offers, over the native subprotocol", async () => {
    serve({ name: "box one", id: "box-1", maxConcurrency: 3, embeddingBatchSize: 16 });
    const link = await server.worker();
    expect(link.request.headers.get("sec-websocket-protocol")).toBe("moorage.v1");
    expect(link.request.headers.get("sec-websocket-extensions")).toBeNull();
    expect(new URL(link.request.url).pathname).toBe("/api/llm/connect");
    const { agent_config, ...rest } = await link.register();
    expect(rest).toEqual({
      type: "register",
      client_key: "test-client-key",
      worker_id: "box-1",
      worker_name: "box one",
      models: ["b", "a"],
      max_concurrency: 3,
      embedding_batch_size: 16,
      exchange_kinds: ["http"],
      version: VERSION,
    });
    expect(agent_config).toEqual({ hostname: hostname(), os_name: process.platform, os_version: expect.any(String) });
  });

  test("offers the models that are named, and of the listed ones those that fit a pattern", async () => {
    serve({ models: ["a*", "z"] });
    expect(await (await server.worker()).register()).toMatchObject({ models: ["a", "z"] });
  });

  test("is repeated if it is not answered in time", async () => {
    await restart({ registered: false });
    serve({ dialTimeoutMs: 30 });
    await server.worker();
    await server.worker();
  });

  test("returns the id that the server made, which all later links keep", async () => {
    const worker = serve();
    const first = await server.worker();
    expect((await first.register())["worker_id"]).toBeUndefined();
    expect(await worker.registered).toEqual(["made-by-server"]);
    first.kill();
    const second = await server.worker();
    expect((await second.register())["worker_id"]).toBe("made-by-server");
    second.close(1012, "restart");
    expect((await (await server.worker()).register())["worker_id"]).toBe("made-by-server");
  });

  test.each([
    [1008, "unauthorized", "--client-key"],
    [1008, "unexpected client key", "no client key"],
    [1008, "id in use: another key owns it", "CLIENT_KEY=new,old"],
    [1008, "blocked by an operator", "only an operator can lift that"],
    [1008, "invalid id: it must be 1 to 128 letters", "choose another --id"],
    [4001, "replaced", "--id"],
  ])("refused with %d %s is logged with advice and repeated slowly", async (code, reason, hint) => {
    const { log, lines } = inboxLog();
    serve({}, { log });
    (await server.worker()).close(code, reason);
    const line = await lines.takeUntil(({ event }) => event === "link.refused", "a refusal");
    expect(line).toMatchObject({ code, reason });
    expect(String(line["hint"])).toContain(hint);
    expect(Number(line["retry_in_ms"])).toBeGreaterThanOrEqual(20);
    await server.worker();
  });

  test("at a server of another kind fails with a clear reason", async () => {
    await restart({ protocol: "something.else" });
    const { log, lines } = inboxLog();
    serve({}, { log });
    const line = await lines.takeUntil(({ event }) => event.startsWith("link."), "the end of the link");
    expect(line).toMatchObject({ event: "link.closed", reason: "Mismatch client protocol" });
  });

  test("waits for a server that is not up yet", async () => {
    const address = server.url;
    await server.stop();
    const { log, lines } = inboxLog();
    serve({ server: address }, { log });
    const line = await lines.takeUntil(({ event }) => event === "link.closed", "a failed try");
    expect(line["reason"]).toBe("Failed to connect");
    server = new ScriptedServer({ port: Number(new URL(address).port) });
    await server.worker();
  });
});

describe("a worker's link", () => {
  test("pings the server, and closes after three silent intervals", async () => {
    await restart({ registered: { ping_interval_ms: 40 } });
    const { log, lines } = inboxLog();
    serve({}, { log });
    const link = await server.worker();
    await link.pings.take("a ping");
    // Stops answering pings, and everything else, without closing.
    link.socket?.pause();
    const line = await lines.takeUntil(({ event }) => event === "link.closed", "the end of the link");
    expect(String(line["reason"])).toContain("silent");
    await server.worker();
  });

  test("stays open if the server only pings, or only answers pings", async () => {
    await restart({ registered: { ping_interval_ms: 20 } });
    serve();
    const link = await server.worker();
    for (let beats = 0; beats < 10; beats += 1) await link.pings.take("a ping");
    link.open({ path: "/x" });
    expect((await link.response()).head.status).toBe(200);
  });

  test("carries a heartbeat with the machine's load every five to ten seconds", async () => {
    const intervals: number[] = [];
    const clock: Clock = {
      ...systemClock,
      every(ms, callback) {
        if (ms >= 5000 && ms <= 10_000) intervals.push(ms);
        return systemClock.every(intervals.includes(ms) ? 20 : ms, callback);
      },
    };
    serve({}, { clock });
    const link = await server.worker();
    const beat = await link.texts.take("a heartbeat");
    expect(beat).toMatchObject({
      type: "heartbeat",
      ts: expect.any(Number),
      host_ram_used_percent: expect.any(Number),
    });
    expect(intervals).toHaveLength(1);
  });
});

describe("a worker's drain", () => {
  test("announces itself, refuses new jobs, finishes running ones and closes with 1000 drained", async () => {
    const answer = Promise.withResolvers<Response>();
    const started = Promise.withResolvers<void>();
    const worker = serve({ drainTimeoutMs: 5000, maxConcurrency: 3 }, {}, () => {
      started.resolve();
      return answer.promise;
    });
    const link = await server.worker();
    const first = link.open({ path: "/x" });
    await started.promise;
    const stopped = worker.stop();
    expect(await link.status("draining")).toMatchObject({ type: "status_update", max_concurrency: 3 });
    const second = link.open({ path: "/x" });
    expect(await link.frame()).toMatchObject({ type: "reset", id: second, code: "draining" });
    answer.resolve(new Response("done"));
    expect(await link.response()).toMatchObject({ id: first, end: true });
    expect(await link.closed).toEqual({ code: 1000, reason: "drained" });
    await stopped;
  });

  test("sends a large answer completely before the link closes", async () => {
    const worker = serve({ drainTimeoutMs: 5000 }, {}, () => new Response(new Uint8Array(8 * 1024 * 1024)));
    const link = await server.worker();
    const id = link.open({ path: "/x" });
    link.credit(id, 16 * 1024 * 1024);
    const first = await link.response();
    const stopped = worker.stop();
    let got = first.body.length;
    for (let end = first.end; !end; ) {
      const frame = await link.frame();
      if (frame.type !== "response_data") throw new Error(`unexpected ${frame.type}`);
      got += frame.body.length;
      end = frame.end;
    }
    expect(got).toBe(8 * 1024 * 1024);
    expect((await link.closed).code).toBe(1000);
    await stopped;
  });

  test("resets jobs that have not ended by the drain timeout", async () => {
    const started = Promise.withResolvers<void>();
    const worker = serve({ drainTimeoutMs: 30 }, {}, () => {
      started.resolve();
      return new Promise<Response>(() => {});
    });
    const link = await server.worker();
    const id = link.open({ path: "/x" });
    await started.promise;
    await worker.stop();
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "draining" });
    expect((await link.closed).code).toBe(1000);
  });

  test("of the server finishes running jobs, and the worker dials again when the server asked it to", async () => {
    const answer = Promise.withResolvers<Response>();
    const started = Promise.withResolvers<void>();
    const { log, lines } = inboxLog();
    serve({}, { log }, () => {
      started.resolve();
      return answer.promise;
    });
    const link = await server.worker();
    const id = link.open({ path: "/x" });
    await started.promise;
    link.sendText({ type: "drain", reason: "shutting down", retry_after_ms: 60 });
    await lines.takeUntil(({ event }) => event === "server.draining", "the drain");
    expect(link.open({ path: "/x" })).toBe(id + 1);
    expect(await link.frame()).toMatchObject({ type: "reset", id: id + 1, code: "draining" });
    answer.resolve(new Response("done"));
    expect(await link.response()).toMatchObject({ id, end: true });
    expect((await link.closed).code).toBe(1000);
    const line = await lines.takeUntil(({ event }) => event === "link.closed", "the end of the link");
    expect(Number(line["retry_in_ms"])).toBeGreaterThanOrEqual(60);
    expect(Number(line["retry_in_ms"])).toBeLessThanOrEqual(120);
    await server.worker();
  });

  test("ends at once while the worker waits to dial again", async () => {
    const { log, lines } = inboxLog();
    const worker = serve({}, { log });
    (await server.worker()).kill();
    await lines.takeUntil(({ event }) => event === "link.closed", "the end of the link");
    await worker.stop();
    expect(server.links.waiting).toBe(0);
  });
});

test("a worker ignores unknown messages, so that versions may differ", async () => {
  serve();
  const link = await server.worker();
  link.sendText({ type: "something_new", x: 1 });
  link.socket?.send("not even JSON");
  link.open({ path: "/x" });
  expect((await link.response()).head.status).toBe(200);
});
