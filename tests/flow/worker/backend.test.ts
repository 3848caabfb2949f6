import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/system/clock.ts";
import type { Clock } from "../../../src/system/deps.ts";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import { llmKind } from "../../../src/worker/llm.ts";
import type { Worker } from "../../../src/worker/worker.ts";
import { inboxLog } from "../../support/inbox-log.ts";
import { ScriptedServer } from "../../support/scripted-server.ts";
import { startBackend, startTestWorker, type TestWorkerOptions } from "../../support/test-worker.ts";

let server: ScriptedServer;
const running: { stop(): Promise<void> }[] = [];

/** A clock that shortens only the worker's checks of its backend, from seconds to milliseconds. */
const hastyClock: Clock = {
  ...systemClock,
  after: (ms, callback) => systemClock.after(ms === 5000 || ms === 60_000 ? 20 : ms, callback),
};

beforeEach(() => {
  server = new ScriptedServer();
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
  await server.stop();
});

function start(settings: Partial<WorkerSettings>, options: TestWorkerOptions = {}): Worker {
  const worker = startTestWorker(
    { server: server.url, drainTimeoutMs: 0, maxConcurrency: 3, ...settings },
    { clock: hastyClock, ...options },
  );
  running.push(worker);
  return worker;
}

/** A backend whose list of models a test can change, and which it can stop and restart on the same port. */
class Switchable {
  models: readonly string[] = ["m"];
  #server = this.#serve(0);
  readonly port = this.#server.port ?? 0;

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`;
  }
  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
  restart(): void {
    this.#server = this.#serve(this.port);
  }
  #serve(port: number): Bun.Server<undefined> {
    return Bun.serve({
      hostname: "127.0.0.1",
      port,
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/v1/models") return Response.json({ data: this.models.map((id) => ({ id })) });
        return pathname.startsWith("/v1/") ? new Response("answer") : new Response("", { status: 404 });
      },
    });
  }
}

describe("a backend that is down", () => {
  test("at the start leaves the worker connected without slots, with the reason", async () => {
    const backend = new Switchable();
    await backend.stop();
    start({ backend: backend.url });
    const link = await server.worker();
    expect(await link.register()).toMatchObject({ models: [], max_concurrency: 0 });
    const status = await link.status("not_ready");
    expect(status).toMatchObject({ type: "status_update", max_concurrency: 0 });
    expect(status["reason"]).toBe(`model server at http://127.0.0.1:${backend.port} does not answer: ECONNREFUSED`);
  });

  test("is noticed by a job at once, which makes the worker not ready with its models kept, until the backend recovers", async () => {
    const backend = new Switchable();
    running.push(backend);
    // Only a job can notice in time, because the next check is a minute away.
    const patient: Clock = {
      ...systemClock,
      after: (ms, callback) => systemClock.after(ms === 5000 ? 20 : ms, callback),
    };
    start({ backend: backend.url }, { clock: patient });
    const link = await server.worker();
    expect(await link.register()).toMatchObject({ models: ["m"], max_concurrency: 3 });
    await backend.stop();
    const id = link.open({ path: "/x" });
    expect(await link.frame()).toMatchObject({
      type: "reset",
      id,
      code: "upstream_unreachable",
      message: "the server behind this worker does not answer: ECONNREFUSED",
    });
    expect(await link.status("not_ready")).toMatchObject({ max_concurrency: 0, models: ["m"] });
    backend.restart();
    expect(await link.status("idle")).toMatchObject({ max_concurrency: 3, models: ["m"] });
    link.open({ path: "/x" });
    expect((await link.response()).head.status).toBe(200);
  });

  test("is reported on a new link too", async () => {
    const backend = new Switchable();
    await backend.stop();
    start({ backend: backend.url });
    const first = await server.worker();
    await first.status("not_ready");
    first.kill();
    await (await server.worker()).status("not_ready");
  });

  test("is one that accepted connections but did not answer two checks in a row", async () => {
    let looks = 0;
    let isBack = false;
    const backend = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        if (!request.url.endsWith("/v1/models")) return new Response("no", { status: 404 });
        looks += 1;
        if (looks === 1) return Response.json({ data: [{ id: "m" }] });
        // The second and third checks get no answer; later ones, after the test has looked, do.
        return isBack ? Response.json({ data: [{ id: "m" }] }) : new Promise<Response>(() => {});
      },
    });
    running.push({ stop: () => backend.stop(true) });
    start({ backend: `http://127.0.0.1:${backend.port}/v1` }, { probeTimeoutMs: 60 });
    const link = await server.worker();
    const status = await link.status("not_ready");
    expect(looks).toBe(3);
    expect(String(status["reason"])).toContain("no answer within 60 ms");
    isBack = true;
    await link.status("idle");
  });

  test("or refuses the worker's key is reported as such", async () => {
    const backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("no", { status: 401 }) });
    running.push({ stop: () => backend.stop(true) });
    const { log, lines } = inboxLog();
    start({ backend: `http://127.0.0.1:${backend.port}/v1` }, { log });
    const status = await (await server.worker()).status("not_ready");
    expect(String(status["reason"])).toContain("answers 401");
    const line = await lines.take("a line");
    expect(line).toMatchObject({ event: "backend.not_ready" });
    expect(String(line["hint"])).toContain("--backend-key");
  });
});

describe("a worker's models", () => {
  test("are watched, and a change of models alone sends only the models", async () => {
    const backend = new Switchable();
    running.push(backend);
    start({ backend: backend.url, models: ["m*", "n*"] });
    const link = await server.worker();
    backend.models = ["m", "n", "other"];
    expect(await link.texts.take("an update")).toEqual({ type: "models_update", models: ["m", "n"] });
    backend.models = [];
    expect(await link.texts.take("an update")).toEqual({ type: "models_update", models: [] });
  });

  test("are those named by the operator if the backend has no list", async () => {
    const backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("no", { status: 404 }) });
    running.push({ stop: () => backend.stop(true) });
    start({ backend: `http://127.0.0.1:${backend.port}/v1`, models: ["mine"] });
    expect(await (await server.worker()).register()).toMatchObject({ models: ["mine"], max_concurrency: 3 });
  });

  test("come from Ollama's tags, under their names there, if there is no other list", async () => {
    const backend = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/api/tags") return Response.json({ models: [{ name: "llama3:8b-q4" }] });
        if (pathname === "/api/version") return Response.json({ version: "0.9.1" });
        return new Response("no", { status: 404 });
      },
    });
    running.push({ stop: () => backend.stop(true) });
    start({ backend: `http://127.0.0.1:${backend.port}/v1` });
    expect(await (await server.worker()).register()).toMatchObject({
      models: ["llama3:8b-q4"],
      agent_config: { backend_family: "ollama", backend_version: "0.9.1" },
    });
  });
});

describe("without a configured backend, the worker", () => {
  const kindWith = (...urls: string[]) =>
    new Map([["llm", { ...llmKind, places: urls.map((base) => ({ label: "Test server", base })) }]]);

  test("uses what it finds at the usual addresses, and prints a table and a command to try", async () => {
    const empty = startBackend(() => new Response("empty"), { models: [] });
    const full = startBackend(() => new Response("full"), { models: ["m:8b"] });
    const notOne = startBackend(() => new Response("x"));
    await notOne.stop();
    running.push(empty, full);
    const printed: string[] = [];
    start({}, { kinds: kindWith(notOne.url, empty.url, full.url), print: (text) => printed.push(text) });
    const link = await server.worker();
    expect(await link.register()).toMatchObject({ models: ["m:8b"] });
    link.open({ path: "/chat/completions" });
    expect(Buffer.from((await link.response()).body).toString()).toBe("full");
    const text = printed.join("\n");
    expect(text).toContain(full.url);
    expect(text).toContain(empty.url);
    expect(text).not.toContain(notOne.url);
    expect(text).toContain(`curl ${server.url}/v1/chat/completions`);
  });

  test("says what it looked for if it finds nothing, keeps looking, and begins once a backend appears", async () => {
    const backend = new Switchable();
    await backend.stop();
    start({}, { kinds: kindWith(backend.url) });
    const link = await server.worker();
    const status = await link.status("not_ready");
    expect(status["reason"]).toBe(
      `no model server found on this machine; looked for Test server at http://127.0.0.1:${backend.port}`,
    );
    const id = link.open({ path: "/x" });
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "upstream_unreachable" });
    running.push(backend);
    backend.restart();
    expect(await link.status("idle")).toMatchObject({ models: ["m"], max_concurrency: 3 });
  });

  test("reports a backend at a usual address that refuses it, with advice", async () => {
    const backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("no", { status: 403 }) });
    running.push({ stop: () => backend.stop(true) });
    const { log, lines } = inboxLog();
    start({}, { kinds: kindWith(`http://127.0.0.1:${backend.port}/v1`), log });
    const line = await lines.takeUntil(({ event }) => event === "backend.not_ready");
    expect(String(line["reason"])).toContain(`; model server at http://127.0.0.1:${backend.port} answers 403 at `);
    expect(String(line["hint"])).toContain("--backend-key");
  });

  test("never takes the server itself for a model server", async () => {
    const { log, lines } = inboxLog();
    start({}, { kinds: kindWith(`${server.url}/v1`), log });
    const line = await lines.takeUntil(({ event }) => event === "backend.not_ready");
    expect(line["reason"]).toBe("no model server found on this machine; looked for none");
  });
});

describe("the family and version are read from", () => {
  test.each([
    ["llamacpp", "b4321", { data: [{ id: "m", owned_by: "llamacpp" }] }, "/props", { build_info: "b4321" }],
    ["vllm", "0.11.0", { data: [{ id: "m", owned_by: "vllm" }] }, "/version", { version: "0.11.0" }],
    ["ollama", "0.9.0", { data: [{ id: "m", owned_by: "library" }] }, "/api/version", { version: "0.9.0" }],
    ["lmstudio", undefined, { data: [{ id: "m", owned_by: "organization_owner" }] }, "/api/v0/models", { data: [] }],
    ["llama-swap", undefined, { data: [{ id: "m", owned_by: "llama-swap" }] }, "/api/version", { version: "201" }],
    ["localai", undefined, { data: [{ id: "m" }] }, "/system", { loaded_models: [] }],
    ["moorage-sample", undefined, { data: [{ id: "m", owned_by: "moorage-sample" }] }, "/nothing", {}],
  ])("%s", async (family, version, list, path, answer) => {
    const backend = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/v1/models") return Response.json(list);
        return pathname === path ? Response.json(answer) : new Response("no", { status: 404 });
      },
    });
    running.push({ stop: () => backend.stop(true) });
    // People omit `/v1`.
    start({ backend: `http://127.0.0.1:${backend.port}` });
    const { agent_config } = await (await server.worker()).register();
    expect(agent_config).toMatchObject({ backend_family: family, ...(version ? { backend_version: version } : {}) });
  });

  test("an endless answer, which is cut off and not collected", async () => {
    const backend = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        new Response(
          new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(0x20)) }),
        ),
    });
    running.push({ stop: () => backend.stop(true) });
    start({ backend: `http://127.0.0.1:${backend.port}/v1` });
    const status = await (await server.worker()).status("not_ready");
    expect(String(status["reason"])).toContain("does not answer with a list of models");
  });
});
