import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Log } from "../../src/system/deps.ts";
import { encodeCredit, encodeReset, encodeResponse, encodeResponseData } from "../../src/wire/frame.ts";
import { ErrorLog } from "../support/error-log.ts";
import { eventually } from "../support/eventually.ts";
import { hostileJson, hostileText, mutated, nearly } from "../support/hostile.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { times } from "../support/times.ts";

// Any messages of a worker, over a real socket: the server serves everybody else, and keeps nothing of them.

const errors = new ErrorLog();
const log: Log = errors;
let server: TestServer;
beforeAll(() => {
  server = new TestServer({ plugins: ["llm", "asr", "mcp"], queueTimeoutMs: 200 }, { log });
});
afterAll(() => server.stop());

const text = new TextEncoder();
const HEAD = { status: 200, headers: [["content-type", "text/event-stream"]] } as const;
/** The first exchanges of a session. */
const exchange = fc.nat({ max: 3 });
const frame = exchange.chain((id) =>
  fc.oneof(
    mutated(encodeResponse(id, HEAD, text.encode("data: x\n\n"), false)),
    mutated(encodeResponseData(id, text.encode("data: [DONE]\n\n"), true)),
    mutated(encodeCredit(id, 1000)),
    mutated(encodeReset(id, "internal", "broken")),
    fc.uint8Array({ maxLength: 60 }),
  ),
);
const register = nearly({
  type: "register",
  client_key: CLIENT_KEY,
  worker_id: "w",
  worker_name: "worker",
  models: ["m"],
  model_info: [
    { id: "m", sent_as: "n", type: "chat", context_length: 4096, input_modalities: ["text"], status: "loaded" },
  ],
  loaded: ["m"],
  max_concurrency: 2,
  version: "1",
  agent_config: { os: "linux" },
});
const legacy = fc
  .oneof(
    nearly({ type: "http_proxy_response_headers", request_id: "1", status: 200, headers: { a: "b" } }),
    nearly({ type: "http_proxy_response_chunk", request_id: "1", data: "eA==" }),
    nearly({ type: "http_proxy_response_end", request_id: "1", error: { code: "x", message: "y" } }),
    nearly({ type: "heartbeat", ts: 1, host_cpu_percent: 5 }),
    nearly({ type: "status_update", status: "idle", max_concurrency: 2, models: ["m"], model_info: [{ id: "m" }] }),
    nearly({ type: "status_update", loaded: ["m"] }),
    nearly({ type: "mcp_response", id: "1", body: {} }),
    hostileJson,
  )
  .map((value) => JSON.stringify(value) ?? "null");
const anything = fc.oneof(frame, legacy, hostileText);

interface Visit {
  readonly path: string;
  readonly isNative: boolean;
  readonly first: Record<string, unknown>;
  readonly messages: readonly (Uint8Array | string)[];
}
const visit: fc.Arbitrary<Visit> = fc.record({
  path: fc.constantFrom("llm", "asr", "mcp"),
  isNative: fc.boolean(),
  first: register,
  messages: fc.array(anything, { maxLength: 6 }),
});

/** Connects, sends all messages while two clients use the model, and disconnects. */
async function pay({ path, isNative, first, messages }: Visit): Promise<void> {
  const url = `${server.url.replace("http", "ws")}/api/${path}/connect`;
  const socket = isNative ? new WebSocket(url, "moorage.v1") : new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("it could not connect"));
  });
  socket.send(JSON.stringify(first));
  const stop = new AbortController();
  const asked = [false, true].map((stream) =>
    server.chat("m", { stream }, { signal: stop.signal }).then(
      (answer) => answer.text(),
      () => "",
    ),
  );
  // The bytes are in plain memory, as the DOM's type demands.
  for (const message of messages) socket.send(message as string | Uint8Array<ArrayBuffer>);
  await server.fetch("/healthz");
  const closed = new Promise((resolve) => {
    if (socket.readyState === WebSocket.CLOSED) resolve(undefined);
    socket.onclose = resolve;
  });
  stop.abort();
  socket.close();
  await Promise.all([...asked, closed]);
}

describe("with any message of one worker", () => {
  test("the server goes on serving others, reports no internal error, and keeps nothing of the message", async () => {
    await fc.assert(
      fc.asyncProperty(visit, async (each) => {
        await pay(each);
        expect((await server.fetch("/healthz")).status).toBe(200);
        expect(errors.lines).toEqual([]);
      }),
      { numRuns: times(150) },
    );
    await eventually(async () => {
      const { workers, server: pool } = await server.state();
      return workers.length === 0 && pool["jobs_inflight_total"] === 0;
    }, "all of them are gone");
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect((await server.fetch("/metrics")).status).toBe(200);
    expect((await server.fetch("/api/state")).status).toBe(200);
  }, 600_000);
});
