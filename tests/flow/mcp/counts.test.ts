import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import type { NativeWorker } from "../../support/native-worker.ts";

const servers: McpServer[] = [];

function start(overrides: Partial<Config> = {}): McpServer {
  const server = new McpServer(overrides);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';
const EVENTS = [["content-type", "text/event-stream"]] as const;

const callOf = (name: string): object => ({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } });

/** One call, answered as told. */
async function exchange(
  relay: NativeWorker,
  answer: Promise<Response>,
  { status = 200, session, body = RESULT }: { status?: number; session?: string; body?: string } = {},
): Promise<void> {
  const { id } = await relay.request();
  relay.head(id, status, [...MCP_JSON, ...(session ? [["mcp-session-id", session] as const] : [])], body, true);
  await (await answer).text();
}

test("the state shows a relay's sessions, opened by answers and closed by DELETE or 404", async () => {
  const server = start();
  const relay = await server.relay();
  const sessions = async (): Promise<unknown> => {
    const { relays, relays_summary: summary } = await server.mcpState();
    return [summary.sessions, relays[0]?.sessions, relays[0]?.sessions_opened_total];
  };
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: {} };
  for (const session of ["s1", "s2", "s3"]) await exchange(relay, server.rpc(initialize), { session });
  expect(await sessions()).toEqual([3, 3, 3]);
  await exchange(relay, server.rpc(callOf("x"), { headers: { "mcp-session-id": "s1" } }));
  await exchange(relay, server.call("DELETE", { headers: { "mcp-session-id": "s1" } }));
  await exchange(relay, server.rpc(callOf("x"), { headers: { "mcp-session-id": "s2" } }), { status: 404 });
  expect(await sessions()).toEqual([1, 1, 3]);
  const metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain("moorage_mcp_sessions 1");
  expect(metrics).toContain("moorage_mcp_sessions_opened_total 3");
  // Session ids are secrets, because they give access to the session.
  const text = metrics + JSON.stringify(await server.mcpState());
  for (const session of ["s1", "s2", "s3"]) expect(text).not.toContain(`"${session}"`);
});

test("a session is shown while its stream listens, from the stream's first byte", async () => {
  const server = start();
  const relay = await server.relay();
  const answer = server.call("GET", { headers: { accept: "text/event-stream", "mcp-session-id": "s" } });
  const { id } = await relay.request();
  relay.head(id, 200, EVENTS);
  const response = await answer;
  expect((await server.mcpState()).relays_summary).toMatchObject({ streams_open: 1, sessions: 1 });
  relay.end(id);
  await response.text();
});

test("a thousand sessions opened and closed leave nothing behind", async () => {
  const server = start();
  const relay = await server.relay();
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: {} };
  for (let at = 0; at < 1000; at += 1) await exchange(relay, server.rpc(initialize), { session: `s${at}` });
  expect((await server.mcpState()).relays_summary.sessions).toBe(1000);
  for (let at = 0; at < 1000; at += 1)
    await exchange(relay, server.call("DELETE", { headers: { "mcp-session-id": `s${at}` } }), {
      status: 204,
      body: "",
    });
  expect((await server.mcpState()).relays_summary).toEqual({
    connected: 1,
    calls_inflight: 0,
    streams_open: 0,
    sessions: 0,
  });
});

test("functions are shown by name and relay, with visible failures", async () => {
  const server = start({ mcpRequestTimeoutMs: 100 });
  const relay = await server.relay();
  await exchange(relay, server.rpc(callOf("search")));
  await exchange(relay, server.rpc(callOf("search")), { body: '{"jsonrpc":"2.0","id":1,"error":{"code":1}}' });
  await exchange(relay, server.rpc(callOf("search")), { body: '{"id":1,"result":{"isError":true}}' });
  await exchange(relay, server.rpc(callOf("search")), { status: 500 });
  const lost = server.rpc(callOf("search"));
  await relay.request();
  expect((await lost).status).toBe(504);
  // Refused calls are not counted, so that nobody can fill the table with names.
  await exchange(relay, server.rpc(callOf("secret")), { status: 401 });
  await exchange(relay, server.rpc(callOf("<b>echo\u0007</b>")));
  const { functions, relays, methods } = await server.mcpState();
  expect(functions).toHaveLength(2);
  expect(functions[0]).toMatchObject({ relay: "tools", name: "search", calls: 5, failures: 4 });
  expect(functions[0]?.last_ms).toBeGreaterThanOrEqual(100);
  expect(functions[0]?.p50_ms).toBeLessThan(100);
  expect(functions[0]?.avg_ms).toBeGreaterThan(20);
  expect(functions[1]).toMatchObject({ name: "<b>echo</b>", calls: 1, failures: 0 });
  expect(relays[0]?.methods).toEqual({ "tools/call": 7 });
  expect(methods).toEqual({ "tools/call": 7 });
  const metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain('moorage_mcp_calls_total{method="tools/call",outcome="error"} 4');
  expect(metrics).toContain('moorage_mcp_calls_total{method="tools/call",outcome="failed"} 1');
  expect(metrics).not.toContain("search");
});

test("a function in a body that is not parsed is counted by its headers", async () => {
  const server = start();
  const relay = await server.relay();
  const body = JSON.stringify({ ...callOf("big"), filler: "x".repeat(100_000) });
  const answer = server.rpc(body, { headers: { "mcp-method": "tools/call", "mcp-name": "big" } });
  const { id } = await relay.request();
  relay.head(id, 200, MCP_JSON, RESULT, true);
  await (await answer).text();
  const state = await eventually(async () => {
    const found = await server.mcpState();
    return found.functions.length > 0 ? found : undefined;
  }, "the call is counted");
  expect(state.functions[0]).toMatchObject({ name: "big", calls: 1 });
  expect(state.methods).toEqual({ "tools/call": 1 });
});

test("a tool that fails is counted in event streams, too, and the stream passes unchanged", async () => {
  const server = start();
  const relay = await server.relay();
  const failed = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"no"}],"isError":true}}';
  const answer = server.rpc(callOf("search"));
  const { id } = await relay.request();
  relay.head(id, 200, EVENTS, 'data: {"method":"notifications/progress"}\n\n');
  relay.data(id, `event: message\ndata: ${failed}\n\n`, true);
  expect(await (await answer).text()).toEndWith(`event: message\ndata: ${failed}\n\n`);
  expect((await server.mcpState()).functions[0]).toMatchObject({ name: "search", calls: 1, failures: 1 });
  // The relay and its MCP server have served the call.
  expect((await server.mcpState()).relays[0]).toMatchObject({ served_total: 1, failures_total: 0, status: "ready" });
});

describe("a relay is shown as broken", () => {
  const shown = async (server: McpServer) => (await server.mcpState()).relays[0];

  test("after three calls in a row that its MCP server answered with 5xx, until one succeeds", async () => {
    const server = start();
    const relay = await server.relay();
    for (let call = 1; call <= 3; call += 1) {
      await exchange(relay, server.rpc(callOf("x")), { status: 503 });
      expect(await shown(server)).toMatchObject({ failures_total: call, status: call === 3 ? "broken" : "ready" });
    }
    expect(await shown(server)).toMatchObject({
      served_total: 0,
      status_reason: "the last 3 calls failed with upstream_status_503",
      last_error: "upstream_status_503",
      last_error_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    const problems = async (): Promise<string> => {
      const envelope = (await (await server.fetch("/api/state")).json()) as { server: { problems: object[] } }; // the State API's own tests check this shape
      return JSON.stringify(envelope.server.problems);
    };
    await eventually(async () => (await problems()).includes('"relay_broken"'), "the problem is listed");
    await exchange(relay, server.rpc(callOf("x")), { status: 400 });
    expect(await shown(server)).toMatchObject({
      served_total: 1,
      failures_total: 3,
      status: "ready",
      status_reason: null,
    });
  });

  test("at once if it cannot reach its MCP server", async () => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(callOf("x"));
    relay.breakOff((await relay.request()).id, "upstream_unreachable");
    await (await answer).text();
    expect(await shown(server)).toMatchObject({
      failures_total: 1,
      status: "broken",
      status_reason: "the MCP server cannot be reached",
      last_error: "upstream_unreachable",
    });
  });

  test("but not for limits of the server", async () => {
    const server = start({ mcpMaxAnswerBytes: 1024 });
    const relay = await server.relay();
    for (let call = 0; call < 4; call += 1) await exchange(relay, server.rpc(callOf("x")), { body: "x".repeat(2000) });
    expect(await shown(server)).toMatchObject({ failures_total: 4, status: "ready", last_error: "response_too_large" });
  });
});
