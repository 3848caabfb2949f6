import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../support/default-config.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";

const servers: McpServer[] = [];

function start(overrides: Partial<Config> = {}): McpServer {
  const server = new McpServer(overrides);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };
const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}';
const EVENTS = [["content-type", "text/event-stream"]] as const;

async function errorOf(
  response: Response,
): Promise<{ code: number; message: string; data: Record<string, string>; id: unknown }> {
  const { error, id, jsonrpc } = (await response.json()) as Record<string, unknown>; // looked at right here
  expect(jsonrpc).toBe("2.0");
  return { ...(error as { code: number; message: string; data: Record<string, string> }), id };
}

describe("this server's own failures are JSON-RPC errors, and never 400, 404 or 405:", () => {
  test("an unknown relay is 503, with the request's id as it was written", async () => {
    const server = start();
    const response = await server.rpc('{"jsonrpc":"2.0","id":90071992547409931,"method":"ping"}');
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).not.toBeNull();
    const text = await response.clone().text();
    expect(text).toContain('"id":90071992547409931,');
    expect(await errorOf(response)).toMatchObject({ code: -32000, data: { mcp: "MCP_PROVIDER_UNAVAILABLE" } });
  });

  test("without an id in the request there is none in the error", async () => {
    const server = start();
    for (const body of ['{"jsonrpc":"2.0","method":"notifications/initialized"}', "[1]", "rubbish", '{"id":null}']) {
      expect((await errorOf(await server.rpc(body))).id).toBeUndefined();
    }
  });

  test("a relay lost before its answer is 502", async () => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(LIST);
    await relay.request();
    relay.kill();
    const response = await answer;
    expect(response.status).toBe(502);
    expect(await errorOf(response)).toMatchObject({ id: 7, data: { mcp: "MCP_UPSTREAM_ERROR" } });
  });

  test("a relay lost in the middle of an answer cuts the connection", async () => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(LIST);
    const { id } = await relay.request();
    relay.head(id, 200, EVENTS, "data: 1\n\n");
    const response = await answer;
    relay.kill();
    await expect(response.text()).rejects.toThrow();
  });

  test("an MCP server that cannot be reached is 502, one that stays silent 504 and is told to stop", async () => {
    // REQUEST_TIMEOUT is for models. A tool may be silent for longer.
    const server = start({ mcpRequestTimeoutMs: 1000, requestTimeoutMs: 50 });
    const relay = await server.relay();
    const unreachable = server.rpc(LIST);
    relay.breakOff((await relay.request()).id, "upstream_unreachable");
    expect((await unreachable).status).toBe(502);
    const silent = server.rpc(LIST);
    await relay.request();
    const response = await silent;
    expect(response.status).toBe(504);
    expect(await errorOf(response)).toMatchObject({
      message:
        "Nothing came from the MCP server for 1 s (MCP_REQUEST_TIMEOUT of this server), so the call was given up.",
      data: { mcp: "MCP_TIMEOUT" },
    });
    expect(await relay.reset()).toMatchObject({ code: "timeout" });
  });

  test.each([
    [
      "timeout",
      504,
      "The MCP server sent nothing for longer than its relay waits (REQUEST_TIMEOUT of the relay), so the call was given up.",
    ],
    ["upstream_error", 502, "The MCP server gave no complete answer. The relay says: 'as said'."],
    ["draining", 502, "The relay stopped before the MCP server answered."],
  ] as const)("a relay's %s is %d, in words that fit an MCP server", async (code, status, message) => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(LIST);
    relay.breakOff((await relay.request()).id, code, "as\u001b\u202e said");
    const response = await answer;
    expect(response.status).toBe(status);
    expect((await errorOf(response)).message).toBe(message);
  });

  test("a call too many is 429, and streams do not take the calls' room", async () => {
    const server = start({ mcpMaxCalls: 2, mcpMaxStreams: 1 });
    const relay = await server.relay();
    const listening = server.call("GET", { headers: { accept: "text/event-stream" } });
    const stream = await relay.request();
    const calls = [server.rpc(LIST), server.rpc(LIST)];
    const requests = [await relay.request(), await relay.request()];
    const refused = await server.rpc(LIST);
    expect(refused.status).toBe(429);
    expect(await errorOf(refused)).toMatchObject({ data: { mcp: "MCP_LIMIT_EXCEEDED" } });
    expect((await server.call("GET")).status).toBe(429);
    for (const { id } of requests) relay.head(id, 200, MCP_JSON, RESULT, true);
    for (const call of calls) expect((await call).status).toBe(200);
    relay.head(stream.id, 200, EVENTS, "", true);
    expect((await listening).status).toBe(200);
    expect((await server.mcpState()).relays_summary).toEqual({
      connected: 1,
      calls_inflight: 0,
      streams_open: 0,
      sessions: 0,
    });
  });

  test("a body too large is 413, declared or not", async () => {
    const server = start({ mcpMaxBodyBytes: 100_000 });
    const relay = await server.relay();
    const large = JSON.stringify({ ...LIST, params: { text: "x".repeat(200_000) } });
    expect((await server.rpc(large)).status).toBe(413);
    expect(relay.frames.waiting).toBe(0);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < large.length; at += 10_000) controller.enqueue(Buffer.from(large.slice(at, at + 10_000)));
        controller.close();
      },
    });
    const response = await server.call("POST", { body });
    expect(response.status).toBe(413);
    expect(await errorOf(response)).toMatchObject({ code: -32000 });
  });

  test("a page of another origin is 403; one that is allowed may call, and is not named to the relay", async () => {
    const server = start({ allowedOrigins: ["https://app.example"] });
    const relay = await server.relay();
    const evil = { origin: "http://evil.example", host: "evil.example" };
    expect((await server.rpc(LIST, { headers: evil })).status).toBe(403);
    expect((await server.rpc(LIST, { headers: { origin: "null" } })).status).toBe(403);
    const answer = server.rpc(LIST, { headers: { origin: "https://app.example" } });
    const request = await relay.request();
    expect(Object.fromEntries(request.head.headers)["origin"]).toBeUndefined();
    relay.head(request.id, 200, MCP_JSON, RESULT, true);
    const response = await answer;
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(response.headers.get("access-control-expose-headers")).toContain("mcp-session-id");
  });

  test("draining is 503, while calls that run may finish", async () => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(LIST);
    const { id } = await relay.request();
    const drained = server.app.drain();
    expect((await server.rpc(LIST)).status).toBe(503);
    relay.head(id, 200, MCP_JSON, RESULT, true);
    expect((await answer).status).toBe(200);
    await drained;
  });
});

test("a server on this machine only serves this machine's pages, one for all addresses does not", async () => {
  for (const [host, status] of [
    ["127.0.0.1", 503],
    ["0.0.0.0", 403],
  ] as const) {
    const server = start({ host });
    // An accepted request finds no relay.
    expect((await server.rpc(LIST, { headers: { origin: "http://localhost:5173" } })).status).toBe(status);
  }
});
