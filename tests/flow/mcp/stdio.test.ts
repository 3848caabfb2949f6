import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { WorkerSettings } from "../../../src/worker/args.ts";
import { eventually } from "../../support/eventually.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const SCRIPT = join(import.meta.dir, "../../support/stdio-mcp-server.ts");
/** A mark in the command line, by which its processes are found again. */
const mark = `moorage-stdio-test-${process.pid}`;

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
  await eventually(() => children() === 0, "no child is left");
});

/** Processes of the MCP server that still run, and what they have started. Elsewhere than on Linux nobody is asked. */
function children(): number {
  if (process.platform !== "linux") return 0;
  return readdirSync("/proc").filter(
    (pid) => /^\d+$/.test(pid) && commandOf(pid).includes(`stdio-mcp-server.ts ${mark}`),
  ).length;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // It has ended meanwhile.
  }
}

async function connect(
  command = `${process.execPath} ${SCRIPT} ${mark}`,
  settings: Partial<WorkerSettings> = {},
): Promise<McpServer> {
  const server = new McpServer();
  running.push(server);
  const relay = startTestWorker(
    { kinds: ["mcp"], server: server.url, id: "tools", mcpCommand: command, drainTimeoutMs: 0, ...settings },
    { env: { PATH: process.env["PATH"], CLIENT_KEY: "secret", HOME: "/" } },
  );
  running.push(relay);
  await relay.registered;
  return server;
}

const VERSION = "2025-11-25";

/** Opens a session; gives its id. */
async function initialize(server: McpServer): Promise<string> {
  const params = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "c", version: "1" } };
  const response = await server.rpc({ jsonrpc: "2.0", id: 0, method: "initialize", params });
  expect(response.status).toBe(200);
  expect(await resultOf(response)).toMatchObject({ protocolVersion: VERSION });
  const id = response.headers.get("mcp-session-id") ?? expect.unreachable();
  expect((await send(server, id, { method: "notifications/initialized" })).status).toBe(202);
  return id;
}

function send(server: McpServer, session: string, message: object, init: RequestInit = {}): Promise<Response> {
  return server.rpc(
    { jsonrpc: "2.0", ...message },
    { ...init, headers: { "mcp-session-id": session, "mcp-protocol-version": VERSION } },
  );
}

function call(server: McpServer, session: string, name: string, params: object = {}): Promise<Response> {
  return send(server, session, { id: 1, method: "tools/call", params: { name, ...params } });
}

/** The messages of an answer, whether it came as events or as JSON. */
async function messagesOf(response: Response): Promise<Record<string, unknown>[]> {
  const text = await response.text();
  const lines = text.split("\n").filter((line) => line.startsWith("data: ") && line.length > 6);
  return lines.length === 0 ? [JSON.parse(text)] : lines.map((line) => JSON.parse(line.slice(6)));
}

async function resultOf(response: Response): Promise<unknown> {
  return (await messagesOf(response)).at(-1)?.["result"];
}

describe("an MCP server on stdio, behind a URL,", () => {
  test("serves each session with its own process", async () => {
    const server = await connect();
    const [first, second] = [await initialize(server), await initialize(server)];
    const pidOf = async (session: string): Promise<unknown> =>
      ((await resultOf(await send(server, session, { id: 2, method: "ping" }))) as { pid: number }).pid;
    expect(await pidOf(first)).toBe(await pidOf(first));
    expect(await pidOf(first)).not.toBe(await pidOf(second));
    if (process.platform === "linux") expect(children()).toBeGreaterThanOrEqual(2);
  });

  test("sends progress and log messages on the stream of their call, before its result", async () => {
    const server = await connect();
    const session = await initialize(server);
    const messages = await messagesOf(await call(server, session, "progress", { _meta: { progressToken: "t" } }));
    expect(messages.map(({ method }) => method)).toEqual([
      "notifications/progress",
      "notifications/message",
      undefined,
    ]);
    expect(messages.at(-1)?.["result"]).toEqual({ done: true });
  });

  test("can ask its client during a call and gets the answer", async () => {
    const server = await connect();
    const session = await initialize(server);
    const response = await call(server, session, "ask");
    const reader = (response.body ?? expect.unreachable()).getReader();
    let text = "";
    const readUntil = async (what: string): Promise<void> => {
      while (!text.includes(what)) text += new TextDecoder().decode((await reader.read()).value);
    };
    await readUntil("sampling/createMessage");
    expect((await send(server, session, { id: "q1", result: {} })).status).toBe(202);
    await readUntil('"heard":true');
  });

  test("sends messages outside of calls on the client's listening stream", async () => {
    const server = await connect();
    const session = await initialize(server);
    const abort = new AbortController();
    const listening = await server.call("GET", {
      headers: { accept: "text/event-stream", "mcp-session-id": session, "mcp-protocol-version": VERSION },
      signal: abort.signal,
    });
    expect(listening.status).toBe(200);
    const reader = (listening.body ?? expect.unreachable()).getReader();
    expect(await resultOf(await call(server, session, "announce"))).toEqual({});
    let text = "";
    while (!text.includes("list_changed")) text += new TextDecoder().decode((await reader.read()).value);
    abort.abort();
  });

  test("survives garbage on its output", async () => {
    const server = await connect();
    const session = await initialize(server);
    expect(await resultOf(await call(server, session, "rubbish"))).toEqual({ after: "rubbish" });
  });

  test("is started without the worker's secrets", async () => {
    const server = await connect();
    const session = await initialize(server);
    const { env } = (await resultOf(await call(server, session, "env"))) as { env: string[] };
    expect(env).toContain("HOME");
    expect(env).not.toContain("CLIENT_KEY");
  });
});

test("a further client than the worker has sessions for gets 503 with Retry-After, and the setting's name", async () => {
  const server = await connect(undefined, { mcpMaxSessions: 1 });
  await initialize(server);
  const params = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "c", version: "1" } };
  const response = await server.rpc({ jsonrpc: "2.0", id: 0, method: "initialize", params });
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("30");
  expect(await response.text()).toContain("MCP_MAX_SESSIONS");
});

test("a program that cannot start is answered with 502 and the reason", async () => {
  const server = await connect("exit 3");
  const params = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "c", version: "1" } };
  const response = await server.rpc({ jsonrpc: "2.0", id: 5, method: "initialize", params });
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ id: 5, error: { message: expect.stringContaining("code 3") } });
});

describe("a stdio session ends", () => {
  test("when its client ends it: the process ends with all its children, and the id gets 404", async () => {
    const server = await connect();
    const session = await initialize(server);
    const headers = { "mcp-session-id": session, "mcp-protocol-version": VERSION };
    expect((await server.call("DELETE", { headers })).status).toBe(200);
    await eventually(() => children() === 0, "its process has ended");
    expect((await call(server, session, "x")).status).toBe(404);
  });

  test("when its process crashes: the call fails, and the next one is told to open a new session", async () => {
    const server = await connect();
    const session = await initialize(server);
    const response = await call(server, session, "crash");
    const text = await response.text().catch(() => "cut");
    expect(text).not.toContain("result");
    await eventually(async () => (await call(server, session, "x")).status === 404, "the session is gone");
    expect(await resultOf(await call(server, await initialize(server), "x"))).toMatchObject({ name: "x" });
  });

  test("when the worker stops, during a call or not", async () => {
    const server = await connect();
    const session = await initialize(server);
    const hanging = call(server, session, "hang")
      .then((response) => response.text())
      .catch(() => "cut");
    await eventually(async () => (await server.mcpState()).relays_summary.calls_inflight === 1, "it hangs");
    await running.pop()?.stop();
    expect(await hanging).not.toContain("result");
    await eventually(() => children() === 0, "no child is left");
  });
});

describe("a request without a valid session is refused:", () => {
  test("an unknown id gets 404, a missing id 400, and no process is left", async () => {
    const server = await connect();
    expect((await call(server, "nobody-has-it", "x")).status).toBe(404);
    expect((await server.call("GET", { headers: { accept: "text/event-stream" } })).status).toBe(400);
    const response = await server.rpc({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    expect(response.status).toBe(400);
    await eventually(() => children() === 0, "no process is left");
  });

  test("an unknown command fails the opening request, and nothing else", async () => {
    const server = await connect("exit 3");
    const params = { protocolVersion: VERSION, capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const response = await server.rpc({ jsonrpc: "2.0", id: 0, method: "initialize", params });
    expect(await response.text().catch(() => "cut")).not.toContain("protocolVersion");
    expect((await call(server, "x", "x")).status).toBe(404);
  });
});
