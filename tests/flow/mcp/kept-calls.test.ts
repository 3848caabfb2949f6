import { afterEach, describe, expect, test } from "bun:test";
import type { CallJson } from "../../../src/calls/call-text.ts";
import { encodeResponse } from "../../../src/wire/frame.ts";
import type { HeaderPairs } from "../../../src/wire/heads.ts";
import type { McpCalled } from "../../../src/wire/mcp-call.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import type { NativeWorker } from "../../support/native-worker.ts";

const servers: McpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

function start(overrides: Partial<Config> = {}): McpServer {
  const server = new McpServer(overrides);
  servers.push(server);
  return server;
}

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const message = (method: string, params: object): object => ({ jsonrpc: "2.0", id: 1, method, params });
const toolCall = (name: string): object => message("tools/call", { name, arguments: { path: "secret-of-the-caller" } });

interface Page {
  readonly data: readonly CallJson[];
  readonly has_more: boolean;
  readonly next: string | null;
  readonly kept: number;
}

async function read(server: McpServer, query = ""): Promise<Page> {
  const response = await server.fetch(`/api/mcp/calls${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Page; // the schema of the route
}

interface Answer {
  readonly status?: number;
  readonly headers?: HeaderPairs;
  readonly body?: string;
  readonly called?: McpCalled;
  readonly refused?: "token";
}

/** Answers the next request of a relay, whole. */
async function answer(
  relay: NativeWorker,
  { status = 200, headers = MCP_JSON, body = RESULT, ...more }: Answer = {},
): Promise<void> {
  const { id } = await relay.request();
  relay.send(encodeResponse(id, { status, headers, ...more }, new TextEncoder().encode(body), true));
}

/** Sends a message to the relay, which gives this answer. */
async function call(server: McpServer, relay: NativeWorker, sent: unknown, given: Answer = {}): Promise<void> {
  const response = server.rpc(sent);
  await answer(relay, given);
  await (await response).text();
}

describe("a call is kept", () => {
  test("with caller, tool, outcome, duration and sizes, and without its arguments", async () => {
    const server = start();
    const relay = await server.relay();
    const sent = JSON.stringify(toolCall("read_file"));
    const response = server.rpc(sent, { headers: { "x-forwarded-for": "198.51.100.7" } });
    await answer(relay);
    const requestId = (await response).headers.get("x-request-id");
    await (await response).text();
    const { data, has_more: hasMore, kept } = await read(server);
    expect(data).toEqual([
      {
        id: 1,
        ended_at: expect.stringMatching(/^20\d\d-.*Z$/),
        request_id: requestId ?? "",
        relay: "tools",
        relay_server: null,
        caller: "anonymous",
        key: null,
        client: null,
        tenant: "default",
        relay_caller: null,
        address: "198.51.100.7",
        method: "tools/call",
        name: "read_file",
        outcome: "completed",
        reason: null,
        rpc_code: null,
        status: 200,
        duration_ms: expect.any(Number),
        bytes_in: sent.length,
        bytes_out: RESULT.length,
        arguments: null,
      },
    ]);
    expect([hasMore, kept]).toEqual([false, 10_000]);
    expect(JSON.stringify(data)).not.toContain("secret-of-the-caller");
  });

  test.each<[string, object, string]>([
    ["of a prompt", message("prompts/get", { name: "greet" }), "greet"],
    ["of a resource", message("resources/read", { uri: "file:///a" }), "file:///a"],
  ])("%s, by its name", async (_what, sent, name) => {
    const server = start();
    const relay = await server.relay();
    await call(server, relay, sent);
    expect((await read(server)).data).toMatchObject([{ name, outcome: "completed" }]);
  });

  test("with what the relay says of it", async () => {
    const server = start();
    const relay = await server.relay();
    const called = { caller: "ann", name: "write_file", denied: true, arguments: '{"path":"/a"}' } as const;
    const error = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool"}}';
    await call(server, relay, toolCall("read_file"), { called, body: error });
    expect((await read(server)).data).toMatchObject([
      {
        caller: "anonymous",
        relay_caller: "ann",
        name: "write_file",
        outcome: "denied",
        rpc_code: -32_602,
        arguments: '{"path":"/a"}',
      },
    ]);
  });

  test.each<[string, Answer, object]>([
    [
      "the result of a tool that failed",
      { body: '{"id":1,"result":{"isError":true}}' },
      { outcome: "error", rpc_code: null },
    ],
    ["an error", { body: '{"id":1,"error":{"code":-32601,"message":"no"}}' }, { outcome: "error", rpc_code: -32_601 }],
    ["a status", { status: 500, body: "" }, { outcome: "error", status: 500 }],
    ["a refused token", { status: 401, body: "{}", refused: "token" }, { outcome: "refused", status: 401 }],
  ])("with %s", async (_what, given, kept) => {
    const server = start();
    const relay = await server.relay();
    await call(server, relay, toolCall("x"), given);
    expect((await read(server)).data).toMatchObject([kept]);
  });

  test("if its client leaves, if the relay is lost, and if there is no relay", async () => {
    const server = start();
    const relay = await server.relay();
    const leaving = new AbortController();
    const left = server.rpc(toolCall("slow"), { signal: leaving.signal }).catch(() => "left");
    const { id } = await relay.request();
    leaving.abort();
    expect(await left).toBe("left");
    await relay.reset();
    relay.breakOff(id, "canceled");
    const lost = server.rpc(toolCall("lost"));
    await relay.request();
    relay.kill();
    expect((await lost).status).toBe(502);
    expect((await server.rpc(toolCall("missing"), {}, "/api/mcp/id/nowhere/mcp")).status).toBe(503);
    const { data } = await read(server);
    expect(data.map(({ name, outcome, reason, status, relay: at }) => [name, outcome, reason, status, at])).toEqual([
      ["missing", "refused", "relay_unavailable", 503, "nowhere"],
      ["lost", "failed", "worker_lost", null, "tools"],
      ["slow", "canceled", null, null, "tools"],
    ]);
  });

  test("if this server cannot tell what it calls: a batch, a large body, and one that is no JSON", async () => {
    const server = start();
    const relay = await server.relay();
    const large = { ...message("ping", { filler: "x".repeat(2_000_000) }), method: "tools/call" };
    const hidden = `{"jsonrpc":"2.0","id":1,"params":{"filler":"${"x".repeat(2_000_000)}"},"method":"tools/call"}`;
    for (const sent of [[toolCall("x")], large, hidden, "gzip"]) {
      const response = server.rpc(sent, { headers: { "mcp-method": "ping" } });
      const request = await relay.request();
      await relay.wholeBody(request);
      relay.head(request.id, 200, MCP_JSON, RESULT, true);
      await (await response).text();
    }
    const { data } = await read(server);
    expect(data.map(({ method, bytes_in: bytes }) => [method, bytes])).toEqual([
      ["other", 4],
      ["ping", hidden.length],
      ["tools/call", JSON.stringify(large).length],
      ["other", JSON.stringify([toolCall("x")]).length],
    ]);
  });
});

test("calls that use nothing are not kept, unless they are refused", async () => {
  const server = start();
  const relay = await server.relay();
  for (const method of ["initialize", "tools/list", "ping", "made/up"]) await call(server, relay, message(method, {}));
  await call(server, relay, { jsonrpc: "2.0", id: 7, result: { action: "accept" } });
  expect((await read(server)).data).toEqual([]);
  await call(server, relay, message("tools/list", {}), { status: 401, body: "" });
  expect((await read(server)).data).toMatchObject([{ method: "tools/list", outcome: "refused" }]);
});

test("nothing is kept with MCP_CALLS_KEPT=0, and the newest few with a small number", async () => {
  const off = start({ mcpCallsKept: 0 });
  await call(off, await off.relay(), toolCall("x"));
  expect(await read(off)).toMatchObject({ data: [], kept: 0 });
  const small = start({ mcpCallsKept: 20, usageFlushMs: 100 });
  const relay = await small.relay();
  for (let at = 0; at < 30; at += 1) await call(small, relay, toolCall(`t${at}`));
  await eventually(async () => (await read(small)).data.length <= 20, "the oldest calls are removed");
  expect((await read(small)).data[0]?.name).toBe("t29");
});

test("calls are found by caller, name, outcome and words, and read page by page", async () => {
  const server = start();
  const relay = await server.relay();
  for (const name of ["read_a", "read_b", "write_a"]) await call(server, relay, toolCall(name));
  await call(server, relay, toolCall("read_c"), { called: { caller: "ann" } });
  const names = async (query: string): Promise<unknown[]> => (await read(server, query)).data.map(({ name }) => name);
  expect(await names("?name=read_*")).toEqual(["read_c", "read_b", "read_a"]);
  expect(await names("?caller=ann")).toEqual(["read_c"]);
  expect(await names("?search=WRITE%20tools")).toEqual(["write_a"]);
  expect(await names("?outcome=error")).toEqual([]);
  expect(await names("?since=2001-01-01&until=2002-01-01")).toEqual([]);
  const first = await read(server, "?limit=3");
  expect([first.data.length, first.has_more, first.next]).toEqual([3, true, "2"]);
  expect((await read(server, `?limit=3&after=${first.next}`)).data.map(({ name }) => name)).toEqual(["read_a"]);
  for (const wrong of [
    "limit=0",
    "limit=1001",
    "outcome=odd",
    "since=yesterday",
    "after=x",
    "since=2026-01-02&until=2026-01-01",
  ])
    expect((await server.fetch(`/api/mcp/calls?${wrong}`)).status).toBe(400);
});

test("all calls are exported as JSON lines, in more than one page", async () => {
  const server = start();
  const relay = await server.relay();
  for (let at = 0; at < 600; at += 1) await call(server, relay, toolCall(`t${at}`));
  const response = await server.fetch("/api/mcp/calls", { headers: { accept: "application/x-ndjson" } });
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  const lines = (await response.text()).split("\n");
  expect(lines.pop()).toBe("");
  const calls = lines.map((line) => JSON.parse(line) as CallJson); // the lines of the route
  expect(calls.map(({ name }) => name)).toEqual(Array.from({ length: 600 }, (_, at) => `t${599 - at}`));
  expect(calls.slice(0, 100)).toEqual([...(await read(server)).data]);
  const few = await server.fetch("/api/mcp/calls?format=jsonl&limit=3&name=t1*");
  expect((await few.text()).split("\n").length).toBe(4);
});

test("only operators read calls", async () => {
  const adminKey = "an-admin-key-0123456789abcdef0123456789abcdef";
  const server = start({ adminKeys: [adminKey] });
  await call(server, await server.relay(), toolCall("x"));
  for (const query of ["", "?format=jsonl"]) {
    expect((await fetch(`${server.url}/api/mcp/calls${query}`)).status).toBe(401);
    expect((await server.fetch(`/api/mcp/calls${query}`)).status).toBe(401);
    const headers = { authorization: `Bearer ${adminKey}` };
    expect((await fetch(`${server.url}/api/mcp/calls${query}`, { headers })).status).toBe(200);
  }
});
