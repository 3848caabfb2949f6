import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { Inbox } from "../../support/inbox.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { RawClient } from "../../support/raw-client.ts";
import { startTestWorker } from "../../support/test-worker.ts";

// Defects of the predecessor's relay, tested point by point with the real worker program and a real MCP
// endpoint. Only the MCP server's answers are scripted.

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

/** A request that the MCP server received, and its answer, which the test controls. */
interface Held {
  readonly request: Request;
  readonly body: string;
  answer(response: Response): void;
}

interface Rig {
  readonly server: McpServer;
  readonly requests: Inbox<Held>;
  readonly port: number;
  relay(settings?: { readonly authToken?: string }): Promise<{ stop(): Promise<void> }>;
}

/** A public server, and an MCP server whose every answer waits for the test. */
function rig(config: Partial<Config> = {}): Rig {
  const server = new McpServer(config);
  running.push(server);
  const requests = new Inbox<Held>();
  const upstream = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { promise, resolve } = Promise.withResolvers<Response>();
      requests.put({ request, body: await request.text(), answer: resolve });
      return promise;
    },
  });
  running.push({ stop: () => upstream.stop(true) });
  const port = upstream.port ?? 0;
  return {
    server,
    requests,
    port,
    async relay(settings = {}) {
      const relay = startTestWorker({
        kinds: ["mcp"],
        server: server.url,
        id: "tools",
        mcpUrl: `http://127.0.0.1:${port}/mcp`,
        drainTimeoutMs: 0,
        ...settings,
      });
      running.push(relay);
      await relay.registered;
      return relay;
    },
  };
}

async function connect(settings: { readonly authToken?: string } = {}): Promise<Rig> {
  const made = rig();
  await made.relay(settings);
  return made;
}

const call = (id: number, params: object = {}): object => ({ jsonrpc: "2.0", id, method: "tools/call", params });
const result = (id: unknown, value: unknown = {}): Response => Response.json({ jsonrpc: "2.0", id, result: value });
const events = (body: string | ReadableStream): Response =>
  new Response(body, { headers: { "content-type": "text/event-stream" } });
/** Removes the comments that keep a stream open. */
const eventsIn = (text: string): string[] => text.split("\n\n").filter((each) => each !== "" && each !== ":");

describe("notifications, sessions and methods", () => {
  test.each([
    ["a notification", { jsonrpc: "2.0", method: "notifications/initialized" }],
    ["a response to the server's question", { jsonrpc: "2.0", id: 3, result: {} }],
    ["a batch", [{ jsonrpc: "2.0", method: "notifications/initialized" }]],
  ])("%s reaches the MCP server, whose 202 has no body", async (_what, message) => {
    const { server, requests } = await connect();
    const answer = server.rpc(message);
    const held = await requests.take();
    expect(held.body).toBe(JSON.stringify(message));
    held.answer(new Response(null, { status: 202 }));
    const response = await answer;
    expect(response.status).toBe(202);
    expect(await response.text()).toBe("");
  });

  test("a session id is returned with the answer and passed on with requests, including GET and DELETE", async () => {
    const { server, requests } = await connect();
    const opening = server.rpc({ jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
    const { request: first, answer } = await requests.take();
    expect(first.headers.get("mcp-session-id")).toBeNull();
    answer(Response.json({ jsonrpc: "2.0", id: 0, result: {} }, { headers: { "mcp-session-id": "of-the-server" } }));
    const session = (await opening).headers.get("mcp-session-id") ?? "";
    expect(session).toBe("of-the-server");
    const headers = { "mcp-session-id": session, accept: "text/event-stream" };
    for (const [method, status] of [
      ["GET", 200],
      ["DELETE", 204],
    ] as const) {
      const asked = server.call(method, { headers });
      const held = await requests.take();
      expect([held.request.method, held.request.headers.get("mcp-session-id")]).toEqual([method, session]);
      held.answer(status === 200 ? events("data: hello\n\n") : new Response(null, { status }));
      const response = await asked;
      expect(response.status).toBe(status);
      // An empty comment stands first if the head came without a byte of the body.
      expect((await response.text()).replace(/^:\n\n/, "")).toBe(status === 200 ? "data: hello\n\n" : "");
    }
  });
});

describe("events", () => {
  test("all reach the client in order, with progress before the result", async () => {
    const { server, requests } = await connect();
    const answer = server.rpc(call(1));
    const held = await requests.take();
    const sent = Array.from(
      { length: 500 },
      (_, at) => `id: ${at}\ndata: {"progress":${at},"text":"${"é".repeat(at)}"}`,
    );
    held.answer(events(sent.map((event) => `${event}\n\n`).join("")));
    expect(eventsIn(await (await answer).text())).toEqual(sent);
  });

  test("are never lost, even on more concurrent streams than one link holds", async () => {
    const { server, requests } = await connect();
    const streams = Array.from({ length: 50 }, (_, id) => server.rpc(call(id)));
    const held: Held[] = [];
    for (const _ of streams) held.push(await requests.take());
    // 20 MB in all, each stream beyond its window, none read until all have been sent.
    const filler = "x".repeat(4000);
    const expected = new Map<number, string[]>();
    for (const { body, answer } of held) {
      const { id } = JSON.parse(body) as { id: number }; // a call of ours
      const sent = Array.from({ length: 100 }, (_, at) => `data: {"id":${id},"at":${at},"filler":"${filler}"}`);
      expected.set(id, sent);
      answer(events(sent.map((event) => `${event}\n\n`).join("")));
    }
    const texts = await Promise.all(streams.map(async (stream) => (await stream).text()));
    for (const [id, text] of texts.entries()) expect(eventsIn(text)).toEqual(expected.get(id) ?? []);
  });
});

describe("callers", () => {
  test("without the relay's token get 401 with a challenge, and do not reach its MCP server", async () => {
    const { server, requests } = await connect({ authToken: "open-sesame" });
    for (const method of ["POST", "GET", "DELETE"]) {
      for (const authorization of [undefined, "Bearer wrong", "Bearer open-sesame2", "Bearer "]) {
        const response = await server.call(method, { headers: authorization ? { authorization } : {} });
        expect(response.status).toBe(401);
        expect(response.headers.get("www-authenticate")).toStartWith("Bearer");
      }
    }
    expect(requests.waiting).toBe(0);
  });

  test("of an unknown id get 503 with Retry-After", async () => {
    const { server } = await connect();
    const response = await server.call("POST", { body: "{}" }, "/api/mcp/id/nobody");
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  });
});

describe("concurrent calls", () => {
  test("reach the MCP server all at once, two hundred on one relay", async () => {
    const { server, requests } = await connect();
    // Sockets of their own: one process has 256 of Bun's `fetch` at once, and the relay's are in this one, too.
    const clients = Array.from({ length: 200 }, () => new RawClient(server.url));
    for (const [id, client] of clients.entries()) {
      const body = JSON.stringify(call(id));
      await client.write(
        `POST /api/mcp/id/tools HTTP/1.1\r\nHost: relay.example\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    }
    const held: Held[] = [];
    for (const _ of clients) held.push(await requests.take());
    expect((await server.mcpState()).relays_summary.calls_inflight).toBe(200);
    for (const { body, answer } of held.reverse()) {
      const { id } = JSON.parse(body) as { id: number }; // a call of ours
      answer(result(id, { echo: id }));
    }
    for (const [id, client] of clients.entries()) {
      const answer = await client.readUntil(`"result":{"echo":${id}}}`);
      expect(answer).toStartWith("HTTP/1.1 200 OK\r\n");
      expect(answer).toContain(`"id":${id},`);
      await client.kill();
    }
  });

  test("lose none of a thousand answers in bursts of a hundred", async () => {
    const { server, requests } = await connect();
    for (let round = 0; round < 10; round += 1) {
      const calls = Array.from({ length: 100 }, (_, id) => server.rpc(call(id, { round })));
      const held: Held[] = [];
      for (const _ of calls) held.push(await requests.take());
      for (const { body, answer } of held) answer(result((JSON.parse(body) as { id: number }).id, { round })); // ours
      for (const [id, each] of calls.entries()) {
        expect(await (await each).json()).toEqual({ jsonrpc: "2.0", id, result: { round } });
      }
    }
  });

  test("leave a result of ten megabytes whole, and small ones do not wait for it", async () => {
    const { server, requests } = await connect();
    const large = server.rpc(call(1));
    const text = "ü".repeat(5 * 1024 * 1024);
    (await requests.take()).answer(result(1, { text }));
    const response = await large;
    // The large answer is not read yet.
    const small = server.rpc(call(2));
    (await requests.take()).answer(result(2));
    expect((await small).status).toBe(200);
    expect(await response.json()).toEqual({ jsonrpc: "2.0", id: 1, result: { text } });
  });
});

describe("a client that leaves", () => {
  test.each(["before the answer", "in the middle of its events"])("%s ends the MCP server's work", async (when) => {
    const { server, requests } = await connect();
    const abort = new AbortController();
    const answer = server.rpc(call(1), { signal: abort.signal });
    const held = await requests.take();
    const gone = Promise.withResolvers<void>();
    held.request.signal.addEventListener("abort", () => gone.resolve());
    if (when === "before the answer") answer.catch(() => {});
    else {
      held.answer(events(new ReadableStream({ start: (controller) => controller.enqueue("data: 1\n\n") })));
      await answer;
    }
    abort.abort();
    await gone.promise;
    await eventually(async () => (await server.mcpState()).relays_summary.calls_inflight === 0, "nothing runs");
  });
});

describe("a relay that is lost during a call", () => {
  test("fails that call at once, returns with its id, and serves the next one", async () => {
    const { server, requests, relay } = rig({ mcpRejoinTimeoutMs: 5000 });
    const first = await relay();
    const cut = server.rpc(call(1));
    await requests.take();
    const streaming = server.rpc(call(2));
    (await requests.take()).answer(
      events(new ReadableStream({ start: (controller) => controller.enqueue("data: 1\n\n") })),
    );
    const stream = await streaming;
    const stopping = first.stop();
    const response = await cut;
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ jsonrpc: "2.0", id: 1, error: { data: { code: "worker_lost" } } });
    // The answer that had begun is cut, and does not look whole.
    await expect(stream.text()).rejects.toThrow();
    await stopping;
    // This call is made while no relay is connected, and is not lost.
    const next = server.rpc(call(3));
    await relay();
    const held = await requests.take();
    expect(JSON.parse(held.body)).toMatchObject({ id: 3 });
    held.answer(result(3));
    expect((await next).status).toBe(200);
    expect((await server.mcpState()).relays.map(({ id }) => id)).toEqual(["tools"]);
  });

  test("because its connection broke reconnects by itself, and its MCP server's work is stopped", async () => {
    const { server, requests, relay } = rig({ mcpRejoinTimeoutMs: 5000 });
    await relay();
    const cut = server.rpc(call(1));
    const held = await requests.take();
    const stopped = Promise.withResolvers<void>();
    held.request.signal.addEventListener("abort", () => stopped.resolve());
    // A second relay with the same id takes over for a moment, which closes the first one's connection.
    const thief = await server.relay();
    expect((await cut).status).toBe(502);
    await stopped.promise;
    thief.kill();
    const next = server.rpc(call(2));
    const again = await requests.take();
    again.answer(result(2));
    expect((await next).status).toBe(200);
  });
});
