import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { startBackend, startTestWorker } from "../support/test-worker.ts";

const PING_MS = 200;
const WINDOW = 64 * 1024;
const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function keep<T extends { stop(): Promise<unknown> }>(each: T): T {
  running.push(each);
  return each;
}

const encoder = new TextEncoder();

/** Starts a model server that streams one word, and the end when a test tells it to. */
function slowModel() {
  const open = new Set<ReadableStreamDefaultController<Uint8Array>>();
  let left = 0;
  const backend = keep(
    startBackend(() => {
      let own: ReadableStreamDefaultController<Uint8Array> | undefined;
      return new Response(
        new ReadableStream<Uint8Array>({
          start(controller) {
            own = controller;
            open.add(controller);
            controller.enqueue(encoder.encode('data: {"choices":[{"delta":{"content":"one"}}]}\n\n'));
          },
          cancel() {
            if (own) open.delete(own);
            left += 1;
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    }),
  );
  return {
    url: backend.url,
    get left() {
      return left;
    },
    /** Ends the running streams, once there is one. */
    async end(): Promise<void> {
      await eventually(() => open.size > 0, "it is asked");
      for (const controller of open) {
        controller.enqueue(encoder.encode("data: [DONE]\n\n"));
        controller.close();
      }
      open.clear();
    },
  };
}

describe("half-open connections", () => {
  test("of a worker ends its stream with an error, and the worker dials again", async () => {
    const server = keep(new TestServer({ pingIntervalMs: PING_MS, queueTimeoutMs: 20_000 }));
    const line = keep(await TcpProxy.start(server.url));
    const model = slowModel();
    const worker = keep(
      startTestWorker({
        server: line.url,
        backend: model.url,
        models: ["m"],
        clientKeys: [CLIENT_KEY],
        drainTimeoutMs: 0,
      }),
    );
    await worker.registered;
    const before = (await server.state()).workers[0]?.["connected_at"];
    const answer = await server.chat("m", { stream: true });
    const text = answer.text();
    line.swallow();
    expect(await text).toContain("worker_lost");
    expect(await text).not.toContain("[DONE]");
    await eventually(() => model.left === 1, "the worker has stopped its backend", 20_000);
    await eventually(
      async () => {
        const { workers } = await server.state();
        return workers.length === 1 && workers[0]?.["connected_at"] !== before;
      },
      "it is back",
      20_000,
    );
    const next = server.chat("m", { stream: true });
    await model.end();
    expect(await (await next).text()).toEndWith("data: [DONE]\n\n");
  }, 60_000);

  test("of a client cancels its job after the client has read nothing for too long", async () => {
    const server = keep(new TestServer({ clientStallTimeoutMs: 1000, windowBytes: WINDOW }));
    const line = keep(await TcpProxy.start(server.url));
    const worker = await server.worker({ models: ["m"] });
    const asked = fetch(`${line.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "m", stream: true, messages: [] }),
    });
    const { id } = await worker.request();
    worker.head(id);
    worker.data(id, "data: one\n\n");
    const reader = ((await asked).body ?? expect.unreachable()).getReader();
    await reader.read();
    line.swallow();
    // Sends as much as the window allows, until the server grants no more.
    const first = "data: one\n\n";
    worker.data(id, "x".repeat(WINDOW - first.length));
    for (;;) {
      const frame = await worker.frames.take("credit or a reset", 20_000);
      if (frame.type === "reset") break;
      if (frame.type === "credit") worker.data(id, "x".repeat(frame.bytes));
    }
    await eventually(async () => (await server.state()).server["jobs_inflight_total"] === 0, "no job is left");
  }, 30_000);
});

describe("a proxy that closes idle connections", () => {
  const IDLE_MS = 900;

  test("closes neither a worker's socket nor a stream that waits for its model", async () => {
    const server = keep(new TestServer({ pingIntervalMs: 300, keepaliveIntervalMs: 300, earlyHeadersMs: 100 }));
    const line = keep(await TcpProxy.start(server.url, IDLE_MS));
    const model = slowModel();
    const worker = keep(
      startTestWorker({
        server: line.url,
        backend: model.url,
        models: ["m"],
        clientKeys: [CLIENT_KEY],
        drainTimeoutMs: 0,
      }),
    );
    await worker.registered;
    const before = (await server.state()).workers[0]?.["connected_at"];
    const answer = await fetch(`${line.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "m", stream: true, messages: [] }),
    });
    // Real time, since the proxy closes what is idle by its own timer: three times as long as it waits.
    await Bun.sleep(3 * IDLE_MS);
    await model.end();
    expect(await answer.text()).toEndWith("data: [DONE]\n\n");
    expect((await server.state()).workers[0]?.["connected_at"]).toBe(before);
  }, 30_000);

  test("does close a silent connection, or the test above would prove nothing", async () => {
    const server = keep(new TestServer({ pingIntervalMs: 60_000, keepaliveIntervalMs: 60_000, earlyHeadersMs: 100 }));
    const line = keep(await TcpProxy.start(server.url, IDLE_MS));
    const worker = await server.worker({ models: ["m"] });
    const answer = fetch(`${line.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "m", stream: true, messages: [] }),
    });
    await expect(answer.then((response) => response.text())).rejects.toThrow();
    await worker.reset();
  }, 30_000);
});
