import { expect, test } from "bun:test";
import { shutDown } from "../../src/shutdown.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import { eventually } from "../support/eventually.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { RawClient } from "../support/raw-client.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";

const deps = { clock: systemClock, ids: systemIds, log: silentLog };

test("a draining server answers 503 to health checks and new jobs, closes new workers with 1013, tells its workers, and finishes running jobs", async () => {
  const server = new TestServer({ drainTimeoutMs: 5000 });
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, "data: 1\n\n");
  const response = await answer;

  const stopped = shutDown(server.app, server.listening, server.config, deps);
  expect(await worker.texts.takeUntil((text) => text["type"] === "drain", "drain")).toMatchObject({
    type: "drain",
    retry_after_ms: 2000,
  });
  expect((await fetch(`${server.url}/healthz`)).status).toBe(503);
  const refused = await server.chat("m");
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
  expect(await refused.json()).toMatchObject({ error: { code: "draining" } });
  const late = new NativeWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: ["m"] } });
  expect(await late.closed).toEqual({ code: 1013, reason: "draining" });

  worker.data(id, "data: [DONE]\n\n", true);
  expect(await response.text()).toBe("data: 1\n\ndata: [DONE]\n\n");
  await stopped;
  expect((await worker.closed).code).toBe(1012);
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
});

test("with a drain delay, health is 503 and workers hear of the handover at once, while jobs are served until the drain", async () => {
  const server = new TestServer({ drainDelayMs: 400, drainTimeoutMs: 5000 });
  const worker = await server.worker();
  const stopped = shutDown(server.app, server.listening, server.config, deps);
  expect(await worker.texts.take("a message")).toMatchObject({ type: "handover", retry_after_ms: 500 });
  const health = await fetch(`${server.url}/healthz`);
  expect([health.status, await health.json()]).toEqual([503, { status: "draining" }]);
  const answer = server.chat("m");
  worker.answerJson((await worker.request()).id, { ok: 1 });
  expect((await answer).status).toBe(200);
  const late = new NativeWorker({ url: server.url, register: { client_key: CLIENT_KEY, models: ["m"] } });
  expect(await late.closed).toEqual({ code: 1013, reason: "draining" });
  expect(await worker.texts.take("a message")).toMatchObject({ type: "drain" });
  await stopped;
});

test("a server that hands over ends each connection with its response, so that the next request goes to another server", async () => {
  const server = new TestServer({ drainDelayMs: 200, drainTimeoutMs: 5000 });
  const worker = await server.worker();
  const before = server.chat("m");
  worker.answerJson((await worker.request()).id, { ok: 1 });
  expect((await before).headers.get("connection")).not.toBe("close");
  const stopped = shutDown(server.app, server.listening, server.config, deps);
  const client = new RawClient(server.url);
  await client.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(String(await client.received.take())).toMatch(/^HTTP\/1\.1 503 .*\r\nconnection: close\r\n/is);
  expect(await client.closed).toBe(true);
  await stopped;
});

test("with a drain delay, a request that waits when the delay ends is served before the drain", async () => {
  const server = new TestServer({ drainDelayMs: 50, drainTimeoutMs: 5000, queueTimeoutMs: 60_000 });
  const worker = await server.worker();
  const running = server.chat("m");
  const { id } = await worker.request();
  const waiting = server.chat("m");
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "it waits");
  const stopped = shutDown(server.app, server.listening, server.config, deps);
  expect(await worker.texts.take("a message")).toMatchObject({ type: "handover" });
  await Bun.sleep(150);
  worker.answerJson(id, { ok: 1 });
  expect((await running).status).toBe(200);
  worker.answerJson((await worker.request()).id, { ok: 2 });
  expect(await (await waiting).json()).toEqual({ ok: 2 });
  await stopped;
});

test("with a drain delay, requests wait no longer than the queue's time limit", async () => {
  const server = new TestServer({ drainDelayMs: 50, drainTimeoutMs: 5000, queueTimeoutMs: 300 });
  const worker = await server.worker();
  const running = server.chat("m");
  const { id } = await worker.request();
  const waiting = server.chat("m");
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "it waits");
  const stopped = shutDown(server.app, server.listening, server.config, deps);
  expect((await waiting).status).toBe(503);
  worker.answerJson(id, { ok: 1 });
  expect((await running).status).toBe(200);
  await stopped;
});

test("without a drain delay, jobs that wait when the server drains fail at once, and do not delay the drain", async () => {
  const server = new TestServer({ drainTimeoutMs: 5000, queueTimeoutMs: 60_000 });
  const worker = await server.worker();
  const running = server.chat("m");
  const { id } = await worker.request();
  const waiting = server.chat("m");
  await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "it waits");
  const stopped = shutDown(server.app, server.listening, server.config, deps);
  expect(await (await waiting).json()).toMatchObject({ error: { code: "draining" } });
  worker.answerJson(id, { ok: 1 });
  expect((await running).status).toBe(200);
  await stopped;
});

test("a job that outlives the drain timeout gets an error event, and the server stops", async () => {
  const server = new TestServer({ drainTimeoutMs: 50 });
  const worker = await server.worker();
  const answer = server.chat("m", { stream: true });
  const { id } = await worker.request();
  worker.head(id, 200, undefined, "data: 1\n\n");
  const response = await answer;
  const text = response.text().catch((error: Error) => `cut: ${error.message}`);
  await shutDown(server.app, server.listening, server.config, deps);
  expect(await text).toMatch(/"error"|^cut/);
});

const run = (env: Record<string, string>, ...args: string[]) =>
  Bun.spawn([process.execPath, `${import.meta.dir}/../../src/main.ts`, ...args], {
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });

test("the process exits with 78 for an invalid configuration and names every fault", async () => {
  const child = run({ PORT: "70000", QUEUE_SIZE: "many" });
  expect(await child.exited).toBe(78);
  const text = await new Response(child.stderr).text();
  expect(text).toStartWith("The settings are not valid:\n");
  expect(text).toContain("PORT");
  expect(text).toContain("QUEUE_SIZE");
});

test("the process exits with 0 after SIGTERM", async () => {
  const child = run({ PORT: "0", LOG_FORMAT: "json" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  await eventually(async () => {
    text += decoder.decode((await reader.read()).value);
    return text.includes("server.started");
  }, "it has started");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
});

test("a port that is taken gives a plain message, and nothing starts", async () => {
  const server = new TestServer();
  const child = run({ PORT: String(server.listening.port), LOG_FORMAT: "json" });
  expect(await child.exited).toBe(1);
  expect(await new Response(child.stdout).text()).toContain("server.listen_failed");
  await server.stop();
});

test("a server whose API keys open its dashboard says so once, and one with an admin key does not", async () => {
  for (const [env, times] of [
    [{}, 1],
    [{ ADMIN_KEY: "for-operators" }, 0],
  ] as const) {
    const child = run({ PORT: "0", LOG_FORMAT: "json", API_KEY: "for-clients", CLIENT_KEY: "for-workers", ...env });
    let text = "";
    const decoder = new TextDecoder();
    for await (const bytes of child.stdout) {
      text += decoder.decode(bytes);
      if (text.includes("server.started")) child.kill("SIGTERM");
    }
    expect(await child.exited).toBe(0);
    expect(text.match(/server\.admin_key_not_set/g)?.length ?? 0).toBe(times);
    expect(text).not.toMatch(/for-clients|for-operators/);
  }
});

test("a server without keys listens on this machine only, and says so once", async () => {
  const child = run({ PORT: "0", LOG_FORMAT: "json", API_KEY: "", CLIENT_KEY: "" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  await eventually(async () => {
    text += decoder.decode((await reader.read()).value);
    return text.includes("server.open");
  }, "the warning");
  expect(text).toContain("127.0.0.1");
  expect(text.match(/server\.open/g)?.length).toBe(1);
  child.kill("SIGTERM");
  await child.exited;
});

test("a second signal ends the server at once, also during its drain delay", async () => {
  const child = run({ PORT: "0", LOG_FORMAT: "json", API_KEY: "a", CLIENT_KEY: "c", DRAIN_DELAY: "10m" });
  const decoder = new TextDecoder();
  let text = "";
  let signals = 0;
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes);
    const due = text.includes("server.handing_over") ? 2 : text.includes("server.started") ? 1 : 0;
    for (; signals < due; signals += 1) child.kill("SIGTERM");
  }
  expect(await child.exited).toBe(1);
  expect(text).not.toContain("server.draining");
});
