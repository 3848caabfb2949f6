import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { ProgramRun } from "../support/program-run.ts";
import { freePort, type ProxyKind, startProxy } from "../support/proxy.ts";
import { API_KEY, CLIENT_KEY, type PoolState } from "../support/test-server.ts";

const ROOT = `${import.meta.dir}/../..`;
const KINDS: readonly ProxyKind[] = ["nginx", "caddy"];
const KEYS = { API_KEY, CLIENT_KEY };
const EVENTS = { "content-type": "text/event-stream" };
const STREAMS = 20;
const LISTENERS = 10;
/** 20 requests a second. */
const REQUEST_EVERY_MS = 50;

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

function run(args: readonly string[], env: Record<string, string>): ProgramRun {
  const program = new ProgramRun([process.execPath, ...args], { PATH: process.env["PATH"] ?? "", ...env }, ROOT);
  stops.push(async () => {
    program.kill();
    await program.exited;
  });
  return program;
}

async function startServer(port: number, drainDelay: string): Promise<ProgramRun> {
  const env = { ...KEYS, PORT: String(port), HOST: "127.0.0.1", PLUGINS: "llm,mcp", DRAIN_DELAY: drainDelay };
  const server = run(["src/main.ts"], env);
  await server.url();
  return server;
}

/** Starts a worker and a relay that dial this URL, in front of one scripted backend. */
async function startWorkers(url: string, backend: ScriptedBackend): Promise<readonly ProgramRun[]> {
  const shared = ["--server", url, "--client-key", CLIENT_KEY];
  const worker = ["llm", ...shared, "--backend", `${backend.url}/v1`, "--max-concurrency", "60"];
  const relay = ["mcp", ...shared, "--url", `${backend.url}/mcp`, "--transport", "http", "--id", "tools"];
  const programs = [worker, relay].map((args) => run(["src/worker/main.ts", ...args], {}));
  for (const each of programs) await each.event("link.opened");
  return programs;
}

/** A model server and an MCP server in one. Model streams run until the test ends them, MCP streams for ever. */
class ScriptedBackend {
  #ended = false;
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/models") return Response.json({ data: [{ id: "m" }] });
      if (pathname === "/mcp") return new Response(this.#listen(), { headers: EVENTS });
      if (pathname !== "/v1/chat/completions") return new Response("not found", { status: 404 });
      const isStream = (await request.text()).includes('"stream":true');
      return isStream ? new Response(this.#stream(), { headers: EVENTS }) : Response.json({ choices: [] });
    },
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  endStreams(): void {
    this.#ended = true;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  #listen(): ReadableStream<Uint8Array> {
    return new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(": open\n\n")) });
  }

  async *#stream(): AsyncGenerator<string> {
    for (let count = 0; !this.#ended; count += 1) {
      yield `data: ${JSON.stringify({ count })}\n\n`;
      await Bun.sleep(100);
    }
    yield "data: [DONE]\n\n";
  }
}

function startBackend(): ScriptedBackend {
  const backend = new ScriptedBackend();
  stops.push(() => backend.stop());
  return backend;
}

const chat = (url: string, more: object = {}): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "?" }], ...more }),
  });

/** Sends a request every 50 ms until told to stop. Resolves to how many there were, and what went wrong with others. */
function askOnAndOn(url: string): () => Promise<{ readonly count: number; readonly failures: readonly string[] }> {
  const failures: string[] = [];
  const asked: Promise<void>[] = [];
  const timer = setInterval(() => {
    const asking = async (): Promise<void> => {
      const response = await chat(url);
      const text = await response.text();
      if (response.status !== 200) failures.push(`${response.status}: ${text}`);
    };
    asked.push(asking().catch((error: unknown) => void failures.push(String(error))));
  }, REQUEST_EVERY_MS);
  const stop = async () => {
    clearInterval(timer);
    await Promise.all(asked);
    return { count: asked.length, failures };
  };
  stops.push(stop);
  return stop;
}

/** Opens MCP streams that only listen, and opens each again when it has ended, as clients do. */
async function listenOnAndOn(url: string) {
  const wrongs: string[] = [];
  let [isOver, endings] = [false, 0];
  const open = () => fetch(`${url}/api/mcp/id/tools/mcp`, { headers: { accept: "text/event-stream" } });
  const follow = async (first: Response): Promise<void> => {
    for (let response = first; !isOver; response = await open()) {
      if (response.status !== 200) wrongs.push(`a stream got ${response.status}`);
      await response.text();
      endings += 1;
    }
  };
  const firsts = await Promise.all(Array.from({ length: LISTENERS }, open));
  for (const each of firsts) void follow(each).catch((error: unknown) => isOver || wrongs.push(String(error)));
  const stop = (): void => {
    isOver = true;
  };
  stops.push(stop);
  return { wrongs, stop, endings: () => endings };
}

async function workersAt(port: number): Promise<number> {
  const headers = { authorization: `Bearer ${API_KEY}` };
  const response = await fetch(`http://127.0.0.1:${port}/api/state`, { headers });
  const { plugins } = (await response.json()) as { plugins: { llm: PoolState } }; // the State API's own tests check this shape
  return plugins.llm.workers.length;
}

for (const kind of KINDS) {
  describe.skipIf(lacks(`replacing a server behind ${kind}`, PROGRAMS[kind]))(
    `behind ${kind}, with DRAIN_DELAY`,
    () => {
      test("a server is replaced under load without a failed request, a broken stream or an MCP stream that is cut", async () => {
        const [oldPort, newPort] = [await freePort(), await freePort()];
        const backend = startBackend();
        const old = await startServer(oldPort, "5s");
        const proxy = await startProxy(kind, oldPort, newPort);
        stops.push(() => proxy.stop());
        await startWorkers(proxy.url, backend);
        const streams = await Promise.all(Array.from({ length: STREAMS }, () => chat(proxy.url, { stream: true })));
        const texts = streams.map((response) => response.text());
        const listeners = await listenOnAndOn(proxy.url);
        const stopAsking = askOnAndOn(proxy.url);

        const next = await startServer(newPort, "5s");
        await proxy.lead(newPort);
        old.signal("SIGTERM");
        await old.event("server.handing_over");
        expect((await fetch(`http://127.0.0.1:${oldPort}/healthz`)).status).toBe(503);
        // What still arrives is served as before, until the drain.
        expect((await chat(`http://127.0.0.1:${oldPort}`)).status).toBe(200);
        await eventually(async () => (await workersAt(newPort)) === 1, "the worker is at the new server", 15_000);
        await old.lines.takeUntil(({ event }) => event === "server.draining", "the drain");
        await eventually(() => listeners.endings() === LISTENERS, "the MCP streams have ended in order", 15_000);
        backend.endStreams();
        for (const text of await Promise.all(texts)) expect(text).toEndWith("data: [DONE]\n\n");
        expect(await old.exited).toBe(0);
        // The new server alone goes on as before.
        for (let each = 0; each < 10; each += 1) expect((await chat(proxy.url)).status).toBe(200);

        const { count, failures } = await stopAsking();
        expect(failures).toEqual([]);
        expect(count).toBeGreaterThan(50);
        expect(listeners.wrongs).toEqual([]);
        listeners.stop();
        expect(await next.stop()).toBe(0);
      }, 90_000);
    },
  );
}

test("a server and a relay with 50 idle MCP streams are gone soon after SIGTERM, and every stream ends in order", async () => {
  const port = await freePort();
  const server = await startServer(port, "0s");
  const url = `http://127.0.0.1:${port}`;
  const [, relay] = await startWorkers(url, startBackend());
  const open = (): Promise<Response> =>
    fetch(`${url}/api/mcp/id/tools/mcp`, { headers: { accept: "text/event-stream" } });
  for (const program of [relay, server]) {
    const texts = (await Promise.all(Array.from({ length: 50 }, open))).map((response) => response.text());
    const startedAt = performance.now();
    expect(await program?.stop()).toBe(0);
    // Both take a fraction of a second; before, a server took its whole drain timeout of five minutes.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    for (const text of await Promise.all(texts)) expect(text).toBe(": open\n\n");
    if (program === server) break;
    const again = ["mcp", "--server", url, "--client-key", CLIENT_KEY, "--url", `${startBackend().url}/mcp`];
    await run(["src/worker/main.ts", ...again, "--transport", "http", "--id", "tools"], {}).event("link.opened");
  }
}, 60_000);
