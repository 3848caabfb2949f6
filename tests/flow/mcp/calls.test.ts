import { afterEach, describe, expect, test } from "bun:test";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import { RawClient } from "../../support/raw-client.ts";
import { API_KEY, CLIENT_KEY } from "../../support/test-server.ts";

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

async function errorOf(response: Response): Promise<{ code: number; data: Record<string, string>; id: unknown }> {
  const { error, id, jsonrpc } = (await response.json()) as Record<string, unknown>; // looked at right here
  expect(jsonrpc).toBe("2.0");
  return { ...(error as { code: number; data: Record<string, string> }), id };
}

describe("a request reaches the relay as it is", () => {
  test("body byte for byte, with the headers of the transport and the caller's bearer, and without the rest", async () => {
    const server = start();
    const relay = await server.relay();
    // White space, an id beyond JavaScript's numbers and an order of keys that no serialiser would keep.
    const body = '{ "params":{"name":"é"},  "id": 9007199254740993,"method":"tools/call","jsonrpc":"2.0" }';
    const answer = server.rpc(body, {
      headers: {
        authorization: "Bearer of-the-relay",
        "mcp-session-id": "s1",
        "mcp-param-region": "=?base64?ZXU=?=",
        "last-event-id": "3",
        cookie: "secret=1",
        "x-api-key": API_KEY,
      },
    });
    const request = await relay.request();
    expect(Buffer.from(request.body).toString()).toBe(body);
    expect(request.head).toMatchObject({ method: "POST", path: "/" });
    const headers = Object.fromEntries(request.head.headers);
    expect(headers).toMatchObject({
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: "Bearer of-the-relay",
      "mcp-session-id": "s1",
      "mcp-param-region": "=?base64?ZXU=?=",
      "last-event-id": "3",
    });
    expect(headers["cookie"]).toBeUndefined();
    expect(headers["x-api-key"]).toBeUndefined();
    relay.head(request.id, 200, [...MCP_JSON, ["mcp-session-id", "s1"], ["set-cookie", "a=b"]], RESULT, true);
    const response = await answer;
    expect(await response.text()).toBe(RESULT);
    expect(response.headers.get("mcp-session-id")).toBe("s1");
    expect(response.headers.get("set-cookie")).toBeNull();
  });

  test.each([
    ["", "/"],
    ["/mcp", "/"],
    ["/messages?session=1", "/messages?session=1"],
    ["?a=b", "/?a=b"],
  ])("at %p below its URL", async (path, expected) => {
    const server = start();
    const relay = await server.relay();
    const answer = server.call("POST", { body: "{}" }, `/api/mcp/id/tools${path}`);
    const request = await relay.request();
    expect(request.head.path).toBe(expected);
    relay.head(request.id, 202, [], "", true);
    expect((await answer).status).toBe(202);
  });

  test("with a body that is larger than one frame, or comes in chunks", async () => {
    const server = start();
    const relay = await server.relay();
    const body = JSON.stringify({ ...LIST, params: { text: "x".repeat(300_000) } });
    const answer = server.rpc(body);
    const request = await relay.request();
    const pieces = [request.body];
    for (let end = request.end; !end; ) {
      const frame = await relay.frames.take();
      if (frame.type !== "request_data") throw new Error(frame.type);
      pieces.push(frame.body);
      relay.credit(request.id, frame.body.length);
      end = frame.end;
    }
    expect(Buffer.concat(pieces).toString()).toBe(body);
    relay.head(request.id, 200, MCP_JSON, RESULT, true);
    expect(await (await answer).text()).toBe(RESULT);
  });

  test.each(["GET", "DELETE"])("with %s as well, which only the MCP server can refuse", async (method) => {
    const server = start();
    const relay = await server.relay();
    const answer = server.call(method, { headers: { accept: "text/event-stream", "mcp-session-id": "s" } });
    const request = await relay.request();
    expect(request.head.method).toBe(method);
    relay.head(request.id, 405, [["allow", "POST"]], "", true);
    const response = await answer;
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });
});

describe("an answer comes as it is", () => {
  test.each([
    [202, ""],
    [400, '{"jsonrpc":"2.0","error":{"code":-32020,"message":"HeaderMismatch"}}'],
    [401, ""],
    [404, '{"error":"no such session"}'],
    [405, ""],
    [503, "down"],
  ])("with status %d", async (status, body) => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(LIST);
    const { id } = await relay.request();
    relay.head(id, status, [...MCP_JSON, ["www-authenticate", 'Bearer error="invalid_token"']], body, true);
    const response = await answer;
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(body);
    expect(response.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
  });

  test("as events, one by one, re-framed by nobody, with ids and retry times", async () => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(LIST);
    const { id } = await relay.request();
    relay.head(id, 200, EVENTS);
    const response = await answer;
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    const reader = (response.body ?? expect.unreachable()).getReader();
    const next = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
    // The head is there before the first event: an empty comment brought it.
    expect(await next()).toBe(":\n\n");
    for (const event of [
      'id: 1\nretry: 500\ndata: {"a":\n',
      "data: 1}\n\n",
      `event: message\r\ndata: ${RESULT}\r\n\r\n`,
    ]) {
      relay.data(id, event);
      expect(await next()).toBe(event);
    }
    relay.end(id);
    expect((await reader.read()).done).toBe(true);
  });

  test("with comments while an event stream is quiet, between events only", async () => {
    const server = start({ keepaliveIntervalMs: 40 });
    const relay = await server.relay();
    const answer = server.call("GET", { headers: { accept: "text/event-stream" } });
    const { id } = await relay.request();
    relay.head(id, 200, EVENTS, "data: half");
    const response = await answer;
    const reader = (response.body ?? expect.unreachable()).getReader();
    let text = "";
    const readUntil = async (end: string): Promise<void> => {
      while (!text.endsWith(end)) text += new TextDecoder().decode((await reader.read()).value);
    };
    await readUntil("half");
    await Bun.sleep(150);
    relay.data(id, " and half\n\n");
    await readUntil(" and half\n\n");
    expect(text.replace(/^:\n\n/, "")).toBe("data: half and half\n\n");
    await readUntil("half\n\n:\n\n:\n\n");
    relay.end(id);
    expect((await reader.read()).done).toBe(true);
  });

  test("however large: ten megabytes in one result", async () => {
    const server = start();
    const relay = await server.relay();
    const answer = server.rpc(LIST);
    const { id } = await relay.request();
    const size = 10 * 1024 * 1024;
    relay.head(id, 200, MCP_JSON, '{"jsonrpc":"2.0","id":7,"result":"');
    let sent = 0;
    const piece = "y".repeat(64 * 1024);
    let credit = 200_000;
    const response = answer.then((each) => each.text());
    while (sent < size) {
      if (credit >= piece.length) {
        relay.data(id, piece);
        sent += piece.length;
        credit -= piece.length;
        continue;
      }
      const frame = await relay.frames.take("credit");
      if (frame.type === "credit") credit += frame.bytes;
    }
    relay.data(id, '"}', true);
    expect((await response).length).toBe(size + '{"jsonrpc":"2.0","id":7,"result":""}'.length);
  });
});

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
    const server = start({ requestTimeoutMs: 150 });
    const relay = await server.relay();
    const unreachable = server.rpc(LIST);
    relay.breakOff((await relay.request()).id, "upstream_unreachable");
    expect((await unreachable).status).toBe(502);
    const silent = server.rpc(LIST);
    await relay.request();
    const response = await silent;
    expect(response.status).toBe(504);
    expect(await errorOf(response)).toMatchObject({ data: { mcp: "MCP_TIMEOUT" } });
    expect(await relay.reset()).toMatchObject({ code: "timeout" });
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

describe("a client that leaves", () => {
  test("before the answer, or in its middle, is told to the relay at once", async () => {
    const server = start();
    const relay = await server.relay();
    for (const isBegun of [false, true]) {
      const abort = new AbortController();
      const answer = server.rpc(LIST, { signal: abort.signal }).catch(() => undefined);
      const { id } = await relay.request();
      if (isBegun) {
        relay.head(id, 200, EVENTS, "data: 1\n\n");
        await answer;
      }
      abort.abort();
      expect(await relay.reset()).toMatchObject({ id, code: "canceled" });
      relay.breakOff(id, "canceled");
    }
    await eventually(async () => (await server.mcpState()).relays_summary.calls_inflight === 0, "nothing runs");
  });
});

describe("a relay that leaves and comes back", () => {
  test("is waited for: a call made meanwhile is served", async () => {
    const server = start({ mcpRejoinTimeoutMs: 5000 });
    (await server.relay()).kill();
    await eventually(async () => (await server.mcpState()).relays.length === 0, "it is gone");
    const answer = server.rpc(LIST);
    await Bun.sleep(50);
    const relay = await server.relay();
    const { id } = await relay.request();
    relay.head(id, 200, MCP_JSON, RESULT, true);
    expect((await answer).status).toBe(200);
  });

  test("after a goodbye is waited for as well, while what it had under way ends in order", async () => {
    const server = start({ mcpRejoinTimeoutMs: 5000 });
    const old = await server.relay();
    const first = server.rpc(LIST);
    const running = await old.request();
    old.sendText({ type: "status_update", status: "draining", max_concurrency: 1 });
    await eventually(async () => (await server.mcpState()).relays.length === 0, "it takes no more");
    const second = server.rpc(LIST);
    old.head(running.id, 200, MCP_JSON, RESULT, true);
    expect((await first).status).toBe(200);
    const relay = await server.relay();
    const { id } = await relay.request();
    relay.head(id, 200, MCP_JSON, RESULT, true);
    expect((await second).status).toBe(200);
  });

  test("is waited for when it is the server that was away: after a start any may be on its way", async () => {
    const server = start({ mcpRejoinTimeoutMs: 5000, startGraceMs: 5000 });
    const answer = server.rpc(LIST);
    await Bun.sleep(50);
    const relay = await server.relay();
    const { id } = await relay.request();
    relay.head(id, 200, MCP_JSON, RESULT, true);
    expect((await answer).status).toBe(200);
  });

  test("is not waited for longer than that", async () => {
    const server = start({ mcpRejoinTimeoutMs: 80 });
    (await server.relay()).kill();
    await eventually(async () => (await server.mcpState()).relays.length === 0, "it is gone");
    expect((await server.rpc(LIST)).status).toBe(503);
  });

  test("while its old link still stands takes over: the old one is told, and its late close removes nobody", async () => {
    const server = start();
    const old = await server.relay();
    const relay = await server.relay();
    expect(await old.closed).toMatchObject({ code: 4001, reason: "replaced" });
    const answer = server.rpc(LIST);
    const { id } = await relay.request();
    relay.head(id, 200, MCP_JSON, RESULT, true);
    expect((await answer).status).toBe(200);
  });
});

test("two hundred calls are under way on one relay, none waiting for another", async () => {
  const server = start();
  const relay = await server.relay();
  const calls = Array.from({ length: 200 }, (_, id) => server.rpc({ ...LIST, id }));
  const requests = [];
  for (const _ of calls) requests.push(await relay.request());
  for (const { id, body } of requests.reverse()) relay.head(id, 200, MCP_JSON, Buffer.from(body).toString(), true);
  for (const [id, call] of calls.entries()) expect(await (await call).json()).toMatchObject({ id });
});

describe("a relay registers", () => {
  test("with an id of its own or one that is made, and is shown with what it says of itself", async () => {
    const server = start();
    const named = await server.relay({
      client_name: "my <tools>",
      info: { version: "1.2", upstream: "http", auth: "token" },
    });
    const nameless = await server.relay({ id: undefined });
    const { relays } = await server.mcpState();
    expect(relays[0]).toMatchObject({
      id: "tools",
      name: "my <tools>",
      version: "1.2",
      upstream: "http",
      auth: "token",
    });
    expect(relays[1]?.id).toMatch(/^[\w-]{22}$/);
    const view = await (await server.fetch("/api/state/view/mcp.html")).text();
    // The page's script fills it in, as text.
    expect(view).not.toContain("my <tools>");
    named.close();
    nameless.close();
  });

  test.each([
    ["no key", { client_key: undefined }, "unauthorized"],
    ["a wrong key", { client_key: "wrong" }, "unauthorized"],
    [
      "an id that no URL holds",
      { id: "a/b" },
      "invalid id: it must be 1 to 128 letters, digits and . _ : @ - (but not . or .. alone)",
    ],
    ["an info that is none", { info: "x" }, "invalid hello: info must be an object"],
  ])("not with %s: 1008", async (_what, hello, reason) => {
    const server = start();
    const relay = await server.relay({ id: "first" });
    const { NativeWorker } = await import("../../support/native-worker.ts");
    const other = new NativeWorker({
      url: server.url,
      path: "/api/mcp/connect",
      register: { client_key: CLIENT_KEY, id: "second", ...hello },
    });
    expect(await other.closed).toEqual({ code: 1008, reason });
    relay.close();
  });
});

test("a server on this machine only serves this machine's pages, one for all addresses does not", async () => {
  for (const [host, status] of [
    ["127.0.0.1", 503],
    ["0.0.0.0", 403],
  ] as const) {
    const server = start({ host });
    // Let through it meets no relay.
    expect((await server.rpc(LIST, { headers: { origin: "http://localhost:5173" } })).status).toBe(status);
  }
});

test("HEAD is no MCP and opens nothing", async () => {
  const server = start();
  const relay = await server.relay();
  const response = await server.call("HEAD");
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toContain("POST");
  expect(relay.frames.waiting).toBe(0);
});

test("the head of a quiet stream is on the wire at once", async () => {
  const server = start();
  const relay = await server.relay();
  const client = new RawClient(server.url);
  await client.write(`GET /api/mcp/id/tools HTTP/1.1\r\nHost: relay.example.com\r\nAccept: text/event-stream\r\n\r\n`);
  const { id } = await relay.request();
  relay.head(id, 200, EVENTS);
  const head = await client.readUntil("\r\n\r\n");
  expect(head).toContain("text/event-stream");
  await client.kill();
  expect(await relay.reset()).toMatchObject({ code: "canceled" });
});

test("methods are counted by the specification's names, whatever clients call theirs", async () => {
  const server = start();
  const relay = await server.relay();
  for (const method of ["tools/list", "evil/{metric}", "tools/list"]) {
    const answer = server.rpc({ ...LIST, method });
    const { id } = await relay.request();
    relay.head(id, 200, MCP_JSON, RESULT, true);
    await answer;
  }
  expect((await server.mcpState()).methods).toEqual({ "tools/list": 2, other: 1 });
  const metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toContain('moorage_mcp_calls_total{method="tools/list",outcome="completed"} 2');
  expect(metrics).not.toContain("evil");
});
