import { afterEach, describe, expect, test } from "bun:test";
import type { Deps } from "../../../src/system/deps.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import { RawClient } from "../../support/raw-client.ts";
import { API_KEY } from "../../support/test-server.ts";

const servers: McpServer[] = [];

function start(overrides: Partial<Config> = {}, deps: Partial<Deps> = {}): McpServer {
  const server = new McpServer(overrides, deps);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };
const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}';
const EVENTS = [["content-type", "text/event-stream"]] as const;

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
    ["/mcp?session=1", "/?session=1"],
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

describe("beside the client's headers, a relay gets", () => {
  const headersOf = async (
    config: Partial<Config>,
    headers: Record<string, string>,
  ): Promise<Record<string, string>> => {
    const server = start(config);
    const relay = await server.relay();
    const answer = server.rpc(LIST, { headers: { ...headers, "x-forwarded-prefix": "/x", forwarded: "for=9.9.9.9" } });
    const { id, head } = await relay.request();
    relay.head(id, 200, MCP_JSON, RESULT, true);
    await answer;
    return Object.fromEntries(head.headers.filter(([name]) => name.includes("forwarded")));
  };
  const claimed = { "x-forwarded-for": "1.2.3.4", "x-forwarded-host": "evil.example", "x-forwarded-proto": "gopher" };

  test("the address of the client and the public URL, which a client cannot make up", async () => {
    const config = { publicUrl: "https://moorage.example", allowedHosts: ["*"], trustedProxies: [] };
    expect(await headersOf(config, claimed)).toEqual({
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-host": "moorage.example",
      "x-forwarded-proto": "https",
    });
  });

  test("what a trusted proxy says about them", async () => {
    const said = {
      "x-forwarded-for": "198.51.100.7",
      "x-forwarded-host": "tools.example",
      "x-forwarded-proto": "https",
    };
    expect(await headersOf({ trustedProxies: ["127.0.0.1"] }, said)).toEqual(said);
  });
});

test("an initialize goes without the id of a session that its client has kept from before", async () => {
  const server = start();
  const relay = await server.relay();
  for (const [method, expected] of [
    ["initialize", undefined],
    ["tools/list", "of-before"],
  ] as const) {
    const answer = server.rpc({ ...LIST, method }, { headers: { "mcp-session-id": "of-before" } });
    const { id, head } = await relay.request();
    expect(Object.fromEntries(head.headers)["mcp-session-id"]).toBe(expected);
    relay.head(id, 200, MCP_JSON, RESULT, true);
    await answer;
  }
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
    const clock = new FakeClock();
    const server = start({ keepaliveIntervalMs: 40 }, { clock });
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
    clock.advance(160);
    relay.data(id, " and half\n\n");
    await readUntil(" and half\n\n");
    expect(text.replace(/^:\n\n/, "")).toBe("data: half and half\n\n");
    clock.advance(40);
    await readUntil("half\n\n:\n\n");
    clock.advance(40);
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

test("two hundred calls are under way on one relay, none waiting for another", async () => {
  const server = start();
  const relay = await server.relay();
  const calls = Array.from({ length: 200 }, (_, id) => server.rpc({ ...LIST, id }));
  const requests = [];
  for (const _ of calls) requests.push(await relay.request());
  for (const { id, body } of requests.reverse()) relay.head(id, 200, MCP_JSON, Buffer.from(body).toString(), true);
  for (const [id, call] of calls.entries()) expect(await (await call).json()).toMatchObject({ id });
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
