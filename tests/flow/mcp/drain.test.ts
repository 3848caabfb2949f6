import { afterEach, describe, expect, test } from "bun:test";
import { shutDown } from "../../../src/shutdown.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { encodeReset } from "../../../src/wire/frame.ts";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import type { Worker } from "../../../src/worker/worker.ts";
import { SESSIONS, STATELESS } from "../../support/bridge-client.ts";
import { eventually } from "../../support/eventually.ts";
import { Inbox } from "../../support/inbox.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

const deps = { clock: systemClock, ids: systemIds, log: silentLog };
/** Far longer than a test may take: a drain that waits for it fails its test. */
const LONG_MS = 600_000;
const EVENTS = { "content-type": "text/event-stream" };
const STDIO = new URL("../../support/stdio-mcp-server.ts", import.meta.url).pathname;
const CALL = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "slow" } };
const LISTEN = { jsonrpc: "2.0", id: 2, method: "subscriptions/listen" };
const STREAMS = 50;

/** Starts a server and a real relay that both wait long for what runs. */
async function connect(settings: Partial<WorkerSettings>): Promise<{ server: McpServer; worker: Worker }> {
  const server = new McpServer({ drainTimeoutMs: LONG_MS });
  running.push(server);
  const worker = startTestWorker(
    { kinds: ["mcp"], server: server.url, id: "tools", mcpTransport: "http", drainTimeoutMs: LONG_MS, ...settings },
    { env: { PATH: process.env["PATH"] } },
  );
  await worker.registered;
  return { server, worker };
}

/** An MCP server whose streams never end by themselves, and whose calls end when the test says so. */
class Endless {
  /** Streams that are open. */
  open = 0;
  readonly #calls: ((text: string) => void)[] = [];
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      const text = await request.text();
      return new Response(text.includes("tools/call") ? this.#call() : this.#stream(request.signal), {
        headers: EVENTS,
      });
    },
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/mcp`;
  }

  finishCalls(): void {
    for (const finish of this.#calls.splice(0)) finish("data: result\n\n");
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  #stream(signal: AbortSignal): ReadableStream<Uint8Array> {
    this.open += 1;
    signal.addEventListener("abort", () => (this.open -= 1));
    return new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from("data: hello\n\n")) });
  }

  #call(): ReadableStream<Uint8Array> {
    return new ReadableStream({
      start: (controller) => {
        controller.enqueue(Buffer.from("data: progress\n\n"));
        this.#calls.push((text) => {
          controller.enqueue(Buffer.from(text));
          controller.close();
        });
      },
    });
  }
}

async function connectEndless(): Promise<{ server: McpServer; worker: Worker; upstream: Endless }> {
  const upstream = new Endless();
  running.push(upstream);
  return { ...(await connect({ mcpUrl: upstream.url })), upstream };
}

/** Opens streams of both eras. The texts resolve when the streams have ended in order, and reject when they are cut. */
async function listen(server: McpServer): Promise<readonly Promise<string>[]> {
  const responses = await Promise.all([
    server.rpc(LISTEN, { headers: { "mcp-method": LISTEN.method } }),
    ...Array.from({ length: STREAMS }, () => server.call("GET", { headers: { accept: "text/event-stream" } })),
  ]);
  expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200));
  return responses.map((response) => response.text());
}

/** Opens a stream in a session of its own. */
async function openSession(server: McpServer): Promise<Response> {
  const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "c", version: "1" } };
  const opened = await server.rpc({ jsonrpc: "2.0", id: 0, method: "initialize", params });
  await opened.text();
  const session = opened.headers.get("mcp-session-id") ?? expect.unreachable();
  const headers = { accept: "text/event-stream", "mcp-session-id": session, "mcp-protocol-version": SESSIONS };
  return server.call("GET", { headers });
}

/** Subscribes without a session. */
function subscribe(server: McpServer): Promise<Response> {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const message = { ...LISTEN, params: { notifications: { toolsListChanged: true }, _meta } };
  return server.rpc(message, { headers: { "mcp-method": LISTEN.method, "mcp-protocol-version": STATELESS } });
}

describe("streams that only listen", () => {
  test("end in order when the server drains, while a call that streams is finished", async () => {
    const { server, worker, upstream } = await connectEndless();
    running.push(worker);
    const call = (await server.rpc(CALL)).text();
    const texts = await listen(server);
    expect(upstream.open).toBe(STREAMS + 1);
    let isDown = false;
    const down = shutDown(server.app, server.listening, server.config, deps).then(() => (isDown = true));
    for (const text of await Promise.all(texts)) expect(text).toStartWith("data: hello\n\n");
    await eventually(() => upstream.open === 0, "the MCP server has seen its streams end");
    expect(isDown).toBe(false);
    upstream.finishCalls();
    expect(await call).toContain("data: progress\n\ndata: result\n\n");
    await down;
    await worker.stop();
  });

  test("end in order when the worker stops, while a call that streams is finished", async () => {
    const { server, worker, upstream } = await connectEndless();
    const call = (await server.rpc(CALL)).text();
    const texts = await listen(server);
    let isStopped = false;
    const stopped = worker.stop().then(() => (isStopped = true));
    for (const text of await Promise.all(texts)) expect(text).toStartWith("data: hello\n\n");
    await eventually(() => upstream.open === 0, "the MCP server has seen its streams end");
    expect(isStopped).toBe(false);
    upstream.finishCalls();
    expect(await call).toContain("data: progress\n\ndata: result\n\n");
    await stopped;
  });

  describe.each(["the server drains", "the worker stops"])(
    "end in order when %s, also those of the stdio bridge:",
    (what) => {
      test.each([
        ["2025", openSession],
        ["2026", subscribe],
      ] as const)("%s", async (_era, openStream) => {
        const { server, worker } = await connect({ mcpCommand: `${process.execPath} ${STDIO} drained stateless` });
        const response = await openStream(server);
        expect(response.status).toBe(200);
        const text = response.text();
        const rest = what === "the worker stops" ? worker.stop() : server.app.drain();
        expect(typeof (await text)).toBe("string");
        await rest;
        await worker.stop();
        await server.stop();
      });
    },
  );

  test("that have not begun are answered with 503 when the server drains", async () => {
    const server = new McpServer();
    running.push(server);
    const relay = await server.relay();
    const answer = server.call("GET", { headers: { accept: "text/event-stream" } });
    const { id } = await relay.request();
    const drained = server.app.drain();
    const response = await answer;
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await relay.reset()).toMatchObject({ id, code: "canceled" });
    relay.send(encodeReset(id, "canceled", "canceled"));
    await drained;
  });

  test("that have not begun are answered when the worker stops", async () => {
    const asked = new Inbox<Request>();
    const silent = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch(request) {
        asked.put(request);
        return new Promise<Response>(() => {});
      },
    });
    running.push({ stop: () => silent.stop(true) });
    const { server, worker } = await connect({ mcpUrl: `http://127.0.0.1:${silent.port}/mcp` });
    const answer = server.call("GET", { headers: { accept: "text/event-stream" } });
    await asked.take("the request for a stream");
    await worker.stop();
    expect((await answer).status).toBe(502);
  });

  test("of a legacy relay do not delay a drain, and its call is finished", async () => {
    const server = new McpServer();
    running.push(server);
    const agent = new LegacyWorker({
      url: server.url,
      path: "/api/mcp/connect",
      headers: { authorization: `Bearer ${CLIENT_KEY}` },
    });
    await agent.opened;
    agent.send({ id: "tools" });
    const sids = new Inbox<string>();
    const accept = async (): Promise<void> => {
      const { sid } = await agent.messages.takeUntil(({ t }) => t === "open", "open");
      agent.send({ t: "open.ok", sid });
      sids.put(String(sid));
    };
    await agent.messages.take("its id");
    const call = server.rpc(CALL);
    await accept();
    const listening = server.rpc(LISTEN);
    await accept();
    const drained = server.app.drain();
    expect((await listening).status).toBe(503);
    agent.send({ t: "rpc", sid: await sids.take(), payload: { jsonrpc: "2.0", id: 1, result: {} } });
    expect((await call).status).toBe(200);
    await drained;
  });
});
