import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Client, StreamableHTTPClientTransport, type VersionNegotiationMode } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { McpState } from "../../../src/plugins/mcp/mcp-state.ts";
import { encodeResponse } from "../../../src/wire/frame.ts";
import type { HeaderPairs } from "../../../src/wire/heads.ts";
import { AreaCluster } from "../../support/area-cluster.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { startFixture } from "../../support/mcp-rig.ts";
import { MCP_JSON } from "../../support/mcp-server.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { CLIENT_KEY, type TestServer } from "../../support/test-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };
const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}';
const EVENTS = [["content-type", "text/event-stream"]] as const;

function relay(server: TestServer, hello: object = {}): Promise<NativeWorker> {
  return NativeWorker.connect({
    url: server.url,
    path: "/api/mcp/connect",
    register: { type: undefined, client_key: CLIENT_KEY, id: "tools", ...hello },
  });
}

function rpc(server: TestServer, message: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}/api/mcp/id/tools`, {
    method: "POST",
    body: JSON.stringify(message),
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
  });
}

/** Answers a request of a relay, whole. */
function respond(tools: NativeWorker, id: number, headers: HeaderPairs, body: string, status = 200): void {
  tools.head(id, status, headers, body, true);
}

/** Waits until the server gives a call up, and confirms that. */
async function giveUp(tools: NativeWorker): Promise<void> {
  const reset = await tools.reset();
  expect(reset).toMatchObject({ type: "reset", code: "canceled" });
  tools.breakOff(reset.id, "canceled");
}

async function mcpState(server: TestServer): Promise<McpState> {
  const envelope = (await (await server.fetch("/api/state")).json()) as { plugins: { mcp: McpState } }; // held by its own tests
  return envelope.plugins.mcp;
}

const codeOf = async (response: Response): Promise<string> => {
  const { error } = (await response.json()) as { error: { data: { code: string } } }; // as all JSON-RPC errors of the server
  return `${response.status} ${error.data.code}`;
};

describe("the official SDKs, pointed at another server than the relay's,", () => {
  let cluster: AreaCluster;
  let fixture: Awaited<ReturnType<typeof startFixture>>;
  let worker: ReturnType<typeof startTestWorker>;
  beforeAll(async () => {
    cluster = await AreaCluster.start(["a", "b"]);
    cluster.follow();
    fixture = await startFixture();
    worker = startTestWorker({
      kinds: ["mcp"],
      server: cluster.at("a").server.url,
      id: "tools",
      mcpUrl: fixture.url,
      drainTimeoutMs: 0,
    });
    await worker.registered;
    await eventually(
      async () => (await rpc(cluster.at("b").server, LIST)).status !== 503,
      "the other server knows the relay",
    );
  });
  afterAll(async () => {
    await worker.stop();
    await cluster.stop();
    await fixture.stop();
  });
  const url = (): URL => new URL(`${cluster.at("b").server.url}/api/mcp/id/tools/mcp`);

  const ERAS: readonly (readonly [name: string, mode: VersionNegotiationMode])[] = [
    ["2026 era", { pin: "2026-07-28" }],
    ["2025 era", "legacy"],
  ];
  test.each(ERAS)("list and call functions, and follow the progress of a long call: %s", async (_name, mode) => {
    const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
    await client.connect(new StreamableHTTPClientTransport(url()));
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain("test_simple_text");
    const { content } = await client.callTool({ name: "test_simple_text", arguments: {} });
    expect(content).toMatchObject([{ type: "text" }]);
    const progress: number[] = [];
    await client.callTool(
      { name: "test_tool_with_progress", arguments: {} },
      { onprogress: (each) => void progress.push(each.progress) },
    );
    expect(progress.length).toBeGreaterThan(1);
    await client.close();
  });

  test("hold a session with its event stream, which they end", async () => {
    const client = new ClientV1({ name: "test", version: "1" });
    const transport = new TransportV1(url());
    await client.connect(transport as Transport); // the class says `undefined` where the interface says `?`
    expect(transport.sessionId).toBeString();
    await eventually(
      async () => (await mcpState(cluster.at("a").server)).relays[0]?.streams_open === 1,
      "the stream is open at the relay's server",
    );
    const before = (await mcpState(cluster.at("a").server)).relays[0]?.sessions ?? 0;
    expect(before).toBeGreaterThan(0);
    await transport.terminateSession();
    await client.close();
    await eventually(async () => {
      const [state] = (await mcpState(cluster.at("a").server)).relays;
      return state?.streams_open === 0 && state.sessions === before - 1;
    });
  });
});

describe("a client of another server than the relay's", () => {
  let cluster: AreaCluster;
  afterEach(() => cluster.stop());

  /** A relay at `a`, which `b` and `c` know of. */
  async function start(overrides: Partial<Config> = {}, hello: object = {}) {
    cluster = await AreaCluster.start(["a", "b", "c"], { mcpRejoinTimeoutMs: 3000, ...overrides });
    cluster.follow();
    const tools = await relay(cluster.at("a").server, hello);
    const known = () => cluster.at("b").ports.workersOf("mcp").serverOf("tools") === "a";
    await eventually(known, "b knows of the relay");
    const [a, b, c] = [cluster.at("a"), cluster.at("b"), cluster.at("c")];
    return { a, b, c, tools, known };
  }

  test("gets the answer as it is, and both servers count their part of it", async () => {
    const { a, b, tools } = await start();
    const answer = rpc(b.server, LIST, { authorization: "Bearer of-the-relay", "mcp-session-id": "s1", cookie: "no" });
    const { id, head, body } = await tools.request();
    expect(Buffer.from(body).toString()).toBe(JSON.stringify(LIST));
    const headers = Object.fromEntries(head.headers);
    expect(headers).toMatchObject({ authorization: "Bearer of-the-relay", "mcp-session-id": "s1" });
    expect(headers["cookie"]).toBeUndefined();
    expect(headers["x-forwarded-host"]).toBe(new URL(b.server.url).host);
    expect(head).not.toHaveProperty("peer");
    expect(head).not.toHaveProperty("kind");
    respond(tools, id, [...MCP_JSON, ["mcp-session-id", "s2"]], RESULT);
    const response = await answer;
    expect(await response.text()).toBe(RESULT);
    expect(response.headers.get("mcp-session-id")).toBe("s2");
    await eventually(async () => (await mcpState(a.server)).relays[0]?.served_total === 1);
    expect(await mcpState(a.server)).toMatchObject({
      methods: {},
      relays: [{ methods: { "tools/list": 1 }, sessions: 2 }],
    });
    expect(await mcpState(b.server)).toMatchObject({ methods: { "tools/list": 1 }, relays: [] });
    const line = b.lines.find(({ event }) => event === "call.ended");
    expect(line).toMatchObject({ relay: "tools", server: "a", outcome: "completed", status: 200 });
    expect(a.lines.filter(({ event }) => event === "call.ended")).toEqual([]);
  });

  test("that leaves gives the call up at the relay", async () => {
    const { a, b, tools } = await start();
    const leaving = new AbortController();
    const answer = fetch(`${b.server.url}/api/mcp/id/tools`, {
      method: "POST",
      body: JSON.stringify(LIST),
      signal: leaving.signal,
    }).catch(() => "gone");
    await tools.request();
    leaving.abort();
    await giveUp(tools);
    expect(await answer).toBe("gone");
    await eventually(async () => (await mcpState(a.server)).relays[0]?.calls_inflight === 0);
  });

  test("keeps a quiet event stream open, which ends in order when either server shuts down", async () => {
    for (const draining of ["a", "b"] as const) {
      const { b, tools } = await start({ keepaliveIntervalMs: 50 });
      const response = fetch(`${b.server.url}/api/mcp/id/tools`, { headers: { accept: "text/event-stream" } });
      const { id } = await tools.request();
      tools.head(id, 200, EVENTS);
      const text = (await response).text();
      await Bun.sleep(120);
      const drained = cluster.at(draining).server.app.drain();
      await giveUp(tools);
      expect(await text).toMatch(/^(:\n\n)+$/);
      await drained;
      if (draining === "a") await cluster.stop();
    }
  });

  test("is refused beyond the relay's calls, which clients of all servers share", async () => {
    const { a, b, c, tools } = await start({ mcpMaxCalls: 2 });
    const running = [rpc(a.server, LIST), rpc(b.server, LIST)];
    const ids = [(await tools.request()).id, (await tools.request()).id];
    expect(await codeOf(await rpc(c.server, LIST))).toBe("429 too_many_calls");
    for (const id of ids) respond(tools, id, MCP_JSON, RESULT);
    for (const each of running) expect((await each).status).toBe(200);
  });

  test("waits for a relay that has just left, wherever it returns", async () => {
    const { a, b, c, tools, known } = await start();
    tools.close();
    await eventually(() => !known(), "b knows that it has left");
    const answers = [rpc(a.server, LIST), rpc(b.server, LIST)];
    const back = await relay(c.server);
    for (const _ of answers) respond(back, (await back.request()).id, MCP_JSON, RESULT);
    expect(await Promise.all(answers.map(async (each) => (await each).text()))).toEqual([RESULT, RESULT]);
  });

  test("still reaches the relay while the client's own server shuts down, and is waited for", async () => {
    const { b, tools } = await start();
    await b.server.app.drain();
    const answer = rpc(b.server, LIST);
    const { id } = await tools.request();
    let isDrained = false;
    const drained = b.server.app.drain().then(() => {
      isDrained = true;
    });
    await Bun.sleep(20);
    expect(isDrained).toBe(false);
    respond(tools, id, MCP_JSON, RESULT);
    expect(await (await answer).text()).toBe(RESULT);
    await drained;
  });

  test("is told when no server has the relay", async () => {
    const { b } = await start({ mcpRejoinTimeoutMs: 50 });
    const unknown = await fetch(`${b.server.url}/api/mcp/id/nothing`, { method: "POST", body: JSON.stringify(LIST) });
    expect(await codeOf(unknown)).toBe("503 relay_unavailable");
  });

  test.each(["relay", "server"])("is told when the %s is lost during the call, which is not repeated", async (lost) => {
    const { b, tools } = await start();
    const answer = rpc(b.server, LIST);
    await tools.request();
    if (lost === "relay") tools.close();
    else await cluster.kill("a");
    expect(await codeOf(await answer)).toBe("502 worker_lost");
  });

  test("with a wrong token is refused by the relay, and counted at its own server", async () => {
    const { b, tools } = await start({ authFailuresPerMinute: 2 });
    for (const expected of [401, 401, 429]) {
      const answer = rpc(b.server, LIST, { authorization: "Bearer wrong" });
      const { id } = await tools.request();
      tools.send(encodeResponse(id, { status: 401, headers: MCP_JSON, refused: "token" }, Buffer.from("{}"), true));
      expect((await answer).status).toBe(expected);
    }
  });

  test("gets the metadata for the URL by which it knows the server, and none of a relay with a token", async () => {
    const { b, tools } = await start({}, { info: { auth: "oauth", upstream: "http" } });
    const path = "/.well-known/oauth-protected-resource/api/mcp/id/tools/mcp";
    const answer = fetch(`${b.server.url}${path}`);
    const { id, head } = await tools.request();
    expect(head).toMatchObject({ method: "GET", resource: `${b.server.url}/api/mcp/id/tools/mcp` });
    respond(tools, id, MCP_JSON, '{"resource":"x"}');
    expect(await (await answer).json()).toEqual({ resource: "x" });
    await cluster.stop();
    const second = await start();
    expect((await fetch(`${second.b.server.url}${path}`)).status).toBe(404);
  });

  const SIZES: readonly (readonly [name: string, bytes: number])[] = [
    ["small", 10],
    ["large", 3_000_000],
  ];
  test.each(SIZES)(
    "reaches a relay whose server was asked although it had just left, with a %s call",
    async (_name, bytes) => {
      const { b, c, tools } = await start();
      // `b` is not told that the relay has moved.
      const moved = cluster.network.move.bind(cluster.network);
      cluster.network.move = () => {};
      tools.close();
      await eventually(async () => (await mcpState(cluster.at("a").server)).relays.length === 0);
      const back = await relay(c.server);
      const call = { ...LIST, params: { cursor: "x".repeat(bytes) } };
      const answer = rpc(b.server, call);
      await Bun.sleep(50);
      moved("mcp", "tools", "c");
      const request = await back.request();
      expect(Buffer.from(await back.wholeBody(request)).toString()).toBe(JSON.stringify(call));
      respond(back, request.id, MCP_JSON, RESULT);
      expect(await (await answer).text()).toBe(RESULT);
    },
  );
});
