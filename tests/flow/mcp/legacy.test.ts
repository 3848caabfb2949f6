import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

const servers: McpServer[] = [];

function start(overrides: Partial<Config> = {}): McpServer {
  const server = new McpServer(overrides);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

/** Connects a scripted legacy agent as `tools`. It sends its key on the upgrade, as real agents do. */
async function connect(server: McpServer): Promise<LegacyWorker> {
  const agent = new LegacyWorker({
    url: server.url,
    path: "/api/mcp/connect",
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
  });
  await agent.opened;
  agent.send({ id: "tools", client_name: "old" });
  expect(await agent.messages.take("its id")).toEqual({ id: "tools" });
  return agent;
}

test("a legacy agent whose id is invalid is told its new id, and clients can use both", async () => {
  const server = start();
  const agent = new LegacyWorker({
    url: server.url,
    path: "/api/mcp/connect",
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
  });
  await agent.opened;
  agent.send({ id: "team/tools" });
  expect(await agent.messages.take("its id")).toEqual({ id: "team_2Ftools" });
  const answer = server.fetch("/api/mcp/id/team%2Ftools", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(CALL),
  });
  expect((await takeOpen(agent))["hint"]).toBe("tools/call");
  agent.kill();
  await answer;
});

test("the state names relays and running calls as the predecessor did, too", async () => {
  const server = start();
  const agent = await connect(server);
  const answer = server.fetch("/api/mcp/id/tools", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "x-request-id": "req-1",
    },
    body: JSON.stringify(CALL),
  });
  const { sid } = await letIn(agent);
  const client = { id: "tools", name: "old" };
  const { clients, sessions } = await server.mcpState();
  expect(clients).toEqual([{ ...client, status: "active", inflight: 1, functions: {} }]);
  expect(sessions).toMatchObject([{ id: "req-1", client_id: "tools", method: "tools/call" }]);
  expect(sessions[0]?.duration_ms).toBeGreaterThanOrEqual(0);
  agent.send({ t: "rpc", sid, payload: { jsonrpc: "2.0", id: CALL.id, result: {} } });
  expect((await answer).status).toBe(200);
  await eventually(async () => (await server.mcpState()).sessions.length === 0, "the call has ended");
  expect((await server.mcpState()).clients).toEqual([
    { ...client, status: "idle", inflight: 0, functions: { "tools/call": 1 } },
  ]);
  agent.kill();
});

test("a second legacy agent of one id gets an id and a URL of its own", async () => {
  const server = start();
  const first = await connect(server);
  const second = new LegacyWorker({
    url: server.url,
    path: "/api/mcp/connect",
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
  });
  await second.opened;
  second.send({ id: "tools" });
  expect(await second.messages.take("its id")).toEqual({ id: "tools.2" });
  expect((await server.mcpState()).relays_summary.connected).toBe(2);
  for (const agent of [first, second]) agent.kill();
});

async function takeOpen(agent: LegacyWorker): Promise<Record<string, string>> {
  return (await agent.messages.takeUntil(({ t }) => t === "open", "open")) as Record<string, string>; // texts only
}

/** Accepts one call; returns its sid and payload. */
async function letIn(agent: LegacyWorker): Promise<{ sid: string; payload: Record<string, unknown> }> {
  const { sid = "" } = await takeOpen(agent);
  agent.send({ t: "open.ok", sid });
  const rpc = await agent.messages.takeUntil(({ t }) => t === "rpc", "rpc");
  return { sid, payload: rpc["payload"] as Record<string, unknown> }; // JSON-RPC, looked at by the test
}

const CALL = { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "x" } };

describe("a legacy relay", () => {
  test("is called in its own dialect, and the client gets its answer", async () => {
    const server = start();
    const agent = await connect(server);
    const answer = server.rpc(CALL, { headers: { authorization: "Bearer of-the-relay", "x-request-id": "req-1" } });
    const open = await takeOpen(agent);
    expect(open).toEqual({
      t: "open",
      sid: open["sid"] ?? "",
      req_id: "req-1",
      hint: "tools/call",
      auth: "of-the-relay",
    });
    agent.send({ t: "open.ok", sid: open["sid"] });
    const rpc = await agent.messages.takeUntil(({ t }) => t === "rpc");
    expect(rpc["payload"]).toEqual(CALL);
    agent.send({ t: "rpc", sid: open["sid"], payload: { jsonrpc: "2.0", id: 7, result: { ok: true } } });
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ jsonrpc: "2.0", id: 7, result: { ok: true } });
  });

  test("returns ids as they were written, whatever their size, and a lost id is restored", async () => {
    const server = start();
    const agent = await connect(server);
    const answer = server.rpc('{"jsonrpc":"2.0","id":90071992547409931,"method":"ping"}');
    const { sid = "" } = await takeOpen(agent);
    agent.send({ t: "open.ok", sid });
    await agent.messages.takeUntil(({ t }) => t === "rpc");
    agent.send({
      t: "rpc",
      sid,
      payload: { jsonrpc: "2.0", id: null, error: { code: -32000, message: "no upstream" } },
    });
    expect(await (await answer).text()).toContain('"id":90071992547409931,');
  });

  test("is waited for with an id or a method name of any length", async () => {
    const server = start();
    const agent = await connect(server);
    const id = "i".repeat(400);
    const answer = server.rpc({ jsonrpc: "2.0", id, method: "m".repeat(200) });
    const { sid = "" } = await takeOpen(agent);
    agent.send({ t: "open.ok", sid });
    await agent.messages.takeUntil(({ t }) => t === "rpc");
    agent.send({ t: "rpc", sid, payload: { jsonrpc: "2.0", id, result: {} } });
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ jsonrpc: "2.0", id, result: {} });
  });

  test("serves many calls at once, answered in any order", async () => {
    const server = start();
    const agent = await connect(server);
    const calls = [1, 2, 3, 4].map((id) => server.rpc({ ...CALL, id }));
    const opens = [];
    for (const _ of calls) opens.push(await takeOpen(agent));
    for (const { sid } of opens) agent.send({ t: "open.ok", sid });
    const taken = [];
    for (const _ of calls) {
      const { sid, payload } = await agent.messages.takeUntil(({ t }) => t === "rpc", "rpc");
      taken.push({ sid, payload: payload as Record<string, unknown> }); // JSON-RPC, as it was sent above
    }
    for (const { sid, payload } of taken.reverse()) {
      agent.send({ t: "rpc", sid, payload: { jsonrpc: "2.0", id: payload["id"], result: payload["id"] } });
    }
    for (const [index, call] of calls.entries()) expect(await (await call).json()).toMatchObject({ result: index + 1 });
  });

  test("gets no progress tokens, with which it would lose the result", async () => {
    const server = start();
    const agent = await connect(server);
    const answer = server.rpc({ ...CALL, params: { name: "x", _meta: { progressToken: 1, trace: "a" } } });
    const { sid, payload } = await letIn(agent);
    expect(payload["params"]).toEqual({ name: "x", _meta: { trace: "a" } });
    agent.send({ t: "rpc", sid, payload: { jsonrpc: "2.0", id: 7, result: {} } });
    expect((await answer).status).toBe(200);
  });

  test("gets notifications and responses, which are answered with 202 at once", async () => {
    const server = start();
    const agent = await connect(server);
    for (const message of [
      { jsonrpc: "2.0", method: "notifications/initialized" },
      { jsonrpc: "2.0", id: 3, result: {} },
    ]) {
      const response = await server.rpc(message);
      expect(response.status).toBe(202);
      expect(await response.text()).toBe("");
      await takeOpen(agent);
    }
  });

  test("gets a pong for its ping", async () => {
    const server = start();
    const agent = await connect(server);
    agent.send({ t: "ping" });
    expect(await agent.messages.take("pong")).toEqual({ t: "pong" });
  });
});

describe("a legacy answer in one message", () => {
  const answerOf = (sid: string, chars: number): string =>
    `{"t":"rpc","sid":"${sid}","payload":{"jsonrpc":"2.0","id":7,"result":"${"é".repeat(chars)}"}}`;

  test("may be as large as any other, byte for byte", async () => {
    const server = start();
    const agent = await connect(server);
    const answer = server.rpc(CALL);
    const { sid } = await letIn(agent);
    // 20 MiB in UTF-8.
    agent.socket.send(answerOf(sid, 10 * 1024 * 1024));
    const response = await answer;
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text.length).toBe('{"jsonrpc":"2.0","id":7,"result":""}'.length + 10 * 1024 * 1024);
    expect(text.endsWith('éé"}')).toBe(true);
  });

  test("over the limit gives 502 and harms no other call", async () => {
    const server = start({ mcpMaxAnswerBytes: 3 * 1024 * 1024 });
    const agent = await connect(server);
    const other = server.rpc({ ...CALL, id: 8 });
    const kept = await letIn(agent);
    const answer = server.rpc(CALL);
    const { sid } = await letIn(agent);
    agent.socket.send(answerOf(sid, 2 * 1024 * 1024));
    const response = await answer;
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({
      id: 7,
      error: { data: { mcp: "MCP_LIMIT_EXCEEDED", code: "response_too_large" } },
    });
    agent.send({ t: "rpc", sid: kept.sid, payload: { jsonrpc: "2.0", id: 8, result: {} } });
    expect((await other).status).toBe(200);
  });

  test("alone may be that large, unlike a first message or a message of another dialect", async () => {
    const server = start();
    const stranger = new LegacyWorker({ url: server.url, path: "/api/mcp/connect" });
    await stranger.opened;
    stranger.socket.send("x".repeat(3 * 1024 * 1024));
    expect(await stranger.closed).toEqual({ code: 1009, reason: "message too large" });
    const native = await server.relay({ id: "native" });
    native.socket.send(new Uint8Array(3 * 1024 * 1024));
    expect(await native.closed).toEqual({ code: 1009, reason: "message too large" });
  });
});

describe("a legacy relay's limits give errors:", () => {
  test.each(["GET", "DELETE"])("%s gets 405, as from a server without streams and sessions", async (method) => {
    const server = start();
    await connect(server);
    const response = await server.call(method);
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });

  test("a batch, or invalid JSON, gets 400", async () => {
    const server = start();
    await connect(server);
    expect((await server.rpc([CALL])).status).toBe(400);
    expect((await server.rpc("rubbish")).status).toBe(400);
    expect((await server.rpc({ ...CALL, id: null })).status).toBe(400);
  });

  test("a call larger than agents can read gets 413, and the agent survives", async () => {
    const server = start();
    const agent = await connect(server);
    const response = await server.rpc({ ...CALL, params: { text: "x".repeat(40_000) } });
    expect(response.status).toBe(413);
    const answer = server.rpc({ ...CALL, params: { text: "x".repeat(30_000) } });
    const { sid } = await letIn(agent);
    agent.send({ t: "rpc", sid, payload: { jsonrpc: "2.0", id: 7, result: {} } });
    expect((await answer).status).toBe(200);
  });

  test("an answer that begins a stream gives 502", async () => {
    const server = start();
    const agent = await connect(server);
    const answer = server.rpc(CALL);
    const { sid } = await letIn(agent);
    agent.send({ t: "rpc", sid, payload: { jsonrpc: "2.0", method: "notifications/progress", params: {} } });
    expect((await answer).status).toBe(502);
  });
});

describe("a failure of a legacy agent is reported:", () => {
  test.each([
    ["MCP_UNAUTHORIZED", 401],
    ["MCP_PROVIDER_UNAVAILABLE", 503],
    ["MCP_LIMIT_EXCEEDED", 503],
  ])("%s gives %d", async (code, status) => {
    const server = start();
    const agent = await connect(server);
    const answer = server.rpc(CALL);
    const { sid } = await takeOpen(agent);
    agent.send({ t: "open.fail", sid, code, msg: "no" });
    const response = await answer;
    expect(response.status).toBe(status);
    expect(response.headers.get("www-authenticate")).toBe(status === 401 ? 'Bearer error="invalid_token"' : null);
    expect(await response.json()).toMatchObject({ id: 7, error: { code: -32000, message: "no", data: { mcp: code } } });
  });

  test("a call closed without an answer gives 502, and one never answered gives 504", async () => {
    const server = start({ mcpRequestTimeoutMs: 150 });
    const agent = await connect(server);
    const closed = server.rpc(CALL);
    const { sid } = await letIn(agent);
    agent.send({ t: "close", sid, msg: "upstream gone" });
    expect((await closed).status).toBe(502);
    const silent = server.rpc(CALL);
    const second = await letIn(agent);
    expect((await silent).status).toBe(504);
    expect(await agent.messages.takeUntil(({ t }) => t === "close")).toMatchObject({ sid: second.sid });
  });

  test("a client's disconnect reaches the agent, and late messages are ignored", async () => {
    const server = start();
    const agent = await connect(server);
    const abort = new AbortController();
    const answer = server.rpc(CALL, { signal: abort.signal }).catch(() => undefined);
    const { sid } = await letIn(agent);
    abort.abort();
    await answer;
    expect(await agent.messages.takeUntil(({ t }) => t === "close")).toMatchObject({ sid });
    agent.send({ t: "rpc", sid, payload: { jsonrpc: "2.0", id: 7, result: {} } });
    agent.send({ t: "rpc", sid: "999", payload: {} });
    agent.send({ t: "nonsense", sid: "-1" });
    const next = server.rpc(CALL);
    const again = await letIn(agent);
    agent.send({ t: "rpc", sid: again.sid, payload: { jsonrpc: "2.0", id: 7, result: {} } });
    expect((await next).status).toBe(200);
    await eventually(async () => (await server.mcpState()).relays_summary.calls_inflight === 0, "nothing runs");
  });
});
