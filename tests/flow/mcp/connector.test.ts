import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { KeyBook } from "../../../src/keys/key-book.ts";
import type { KeyKind } from "../../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import type { KeyTerms } from "../../../src/keys/key-terms.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import { NativeWorker, type RequestFrame } from "../../support/native-worker.ts";
import { API_KEY, CLIENT_KEY } from "../../support/test-server.ts";

const BY = { by: "admin-key:1" };
const PATH = "/api/mcp/id/tools/mcp";
const CONNECTOR = { info: { auth: "connector", restricts: true } };
const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };
const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}';

let book: KeyBook;
let server: McpServer;

beforeEach(() => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  server = new McpServer({}, {}, { book, isKept: true, file: undefined });
});
afterEach(() => server.stop());

const make = (terms: Partial<KeyTerms> = {}, kind: KeyKind = "client") =>
  book.create({ kind, terms: { name: "ann", limits: {}, ...terms } }, BY);
const ask = (key: string | undefined, message: object = LIST, headers: Record<string, string> = {}) =>
  server.rpc(
    message,
    { headers: { ...headers, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) } },
    PATH,
  );
const listen = (key: string) =>
  server.call("GET", { headers: { accept: "text/event-stream", authorization: `Bearer ${key}` } }, PATH);
const codeOf = async (response: Response): Promise<string> => {
  const { error } = (await response.json()) as { error: { data: { code: string } } }; // as all JSON-RPC errors of the server
  return `${response.status} ${error.data.code}`;
};

/** Answers the next request of the relay. */
async function serve(
  relay: NativeWorker,
  headers: readonly (readonly [string, string])[] = MCP_JSON,
): Promise<RequestFrame> {
  const request = await relay.request();
  relay.head(request.id, 200, headers, RESULT, true);
  return request;
}

describe("a call of a connector relay", () => {
  test("without a key is told how to sign in, and with a wrong one that it is wrong", async () => {
    const relay = await server.relay(CONNECTOR);
    const metadata = `resource_metadata="${server.url}/.well-known/oauth-protected-resource${PATH}"`;
    const open = await ask(undefined);
    expect([open.status, open.headers.get("www-authenticate")]).toEqual([401, `Bearer ${metadata}`]);
    expect(await open.json()).toMatchObject({
      jsonrpc: "2.0",
      error: { data: { code: "invalid_api_key", mcp: "MCP_UNAUTHORIZED" } },
    });
    const wrong = await ask("wrong");
    expect(wrong.headers.get("www-authenticate")).toBe(`Bearer error="invalid_token", ${metadata}`);
    expect(await codeOf(wrong)).toBe("401 invalid_api_key");
    expect(await codeOf(await ask(make({}, "admin").text))).toBe("401 invalid_api_key");
    expect(relay.frames.waiting).toBe(0);
  });

  test("with a client's key reaches the relay with the caller's name, and without the key", async () => {
    const relay = await server.relay(CONNECTOR);
    const { entry, text } = make({ mcp: { tools: ["read_*"], prompts: [] } });
    const answer = ask(text);
    const { head } = await serve(relay);
    expect(head.caller).toEqual({ name: `key:${entry.id}`, rules: { tools: ["read_*"], prompts: [] } });
    expect(JSON.stringify(head)).not.toContain(text);
    expect(head.headers.map(([name]) => name)).not.toContain("authorization");
    const response = await answer;
    expect(await response.text()).toBe(RESULT);
    expect(response.headers.get("cache-control")).toBe("private, no-store");
    expect(response.headers.get("vary")).toContain("authorization");
    const listed = ask(API_KEY);
    expect((await serve(relay)).head.caller).toEqual({ name: "api-key:1" });
    expect((await listed).status).toBe(200);
  });

  test("whose stream lasts is marked as one caller's as well, and must not be changed on its way", async () => {
    const relay = await server.relay(CONNECTOR);
    const answer = listen(make().text);
    const request = await relay.request();
    relay.head(request.id, 200, [
      ["content-type", "text/event-stream"],
      ["cache-control", "public, max-age=600"],
    ]);
    const response = await answer;
    expect(response.headers.get("cache-control")).toBe("private, no-store, no-transform");
    await response.body?.cancel();
    relay.breakOff((await relay.reset()).id, "canceled");
  });

  test("counts as a request of its key", async () => {
    const relay = await server.relay(CONNECTOR);
    const { entry, text } = make();
    const answer = ask(text);
    await serve(relay);
    await (await answer).text();
    await eventually(async () => {
      const usage = await (await server.fetch(`/api/usage?key=${entry.id}&period=day`)).json();
      return JSON.stringify(usage).includes('"requests":1');
    });
  });
});

describe("what a key may do at relays", () => {
  test("are the relays that its patterns name", async () => {
    const relay = await server.relay(CONNECTOR);
    expect(await codeOf(await ask(make({ mcp: { relays: ["other*"] } }).text))).toBe("403 relay_not_allowed");
    expect(await codeOf(await ask(make({ mcp: { relays: [] } }).text))).toBe("403 relay_not_allowed");
    expect(relay.frames.waiting).toBe(0);
    const answer = ask(make({ mcp: { relays: ["to*"] } }).text);
    await serve(relay);
    expect((await answer).status).toBe(200);
  });

  test("needs a relay that can restrict its callers if it is restricted", async () => {
    const relay = await server.relay({ info: { auth: "connector" } });
    expect(await codeOf(await ask(make({ mcp: { tools: ["read_*"] } }).text))).toBe("403 relay_cannot_restrict");
    expect(relay.frames.waiting).toBe(0);
    const answer = ask(make({ mcp: { relays: ["tools"], parallel: 3 } }).text);
    expect((await serve(relay)).head.caller?.rules).toBeUndefined();
    expect((await answer).status).toBe(200);
  });

  test("needs a relay that serves the key's tenant", async () => {
    const own = make({ tenants: ["research"] }, "worker").text;
    const relay = await server.relay({ ...CONNECTOR, client_key: own });
    expect(await codeOf(await ask(make().text))).toBe("403 relay_not_allowed");
    expect(relay.frames.waiting).toBe(0);
    const answer = ask(make({ tenant: "research" }).text);
    await serve(relay);
    expect((await answer).status).toBe(200);
  });

  test("is bounded in calls at once, which answers to the MCP server and streams do not count as", async () => {
    const relay = await server.relay(CONNECTOR);
    const { text } = make({ mcp: { parallel: 1 } });
    const first = ask(text);
    const running = await relay.request();
    const refused = await ask(text);
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await codeOf(refused)).toBe("429 too_many_requests");
    const stream = listen(text);
    const streaming = await relay.request();
    const elicited = ask(text, { jsonrpc: "2.0", id: 1, result: { action: "accept" } });
    await serve(relay);
    expect((await elicited).status).toBe(200);
    relay.head(running.id, 200, MCP_JSON, RESULT, true);
    expect((await first).status).toBe(200);
    const next = ask(text);
    await serve(relay);
    expect((await next).status).toBe(200);
    relay.head(streaming.id, 405, [], "", true);
    await stream;
  });

  test("is bounded in calls within a minute", async () => {
    const relay = await server.relay(CONNECTOR);
    const { text } = make({ mcp: { requestsPerMinute: 2 } });
    for (let calls = 0; calls < 2; calls += 1) {
      const answer = ask(text);
      await serve(relay);
      await (await answer).text();
    }
    const refused = await ask(text);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(50);
    expect(await codeOf(refused)).toBe("429 rate_limit_exceeded");
    expect(relay.frames.waiting).toBe(0);
  });
});

describe("the end of a key", () => {
  test("ends its running calls and streams at once", async () => {
    const relay = await server.relay(CONNECTOR);
    const { entry, text } = make();
    const call = ask(text);
    const running = await relay.request();
    const stream = listen(text);
    const streaming = await relay.request();
    relay.head(streaming.id, 200, [["content-type", "text/event-stream"]], "data: {}\n\n");
    const { body } = await stream;
    book.revoke(entry.id, BY);
    const canceled = [await relay.reset(), await relay.reset()];
    expect(canceled.map(({ id }) => id).toSorted()).toEqual([running.id, streaming.id].toSorted());
    for (const { id } of canceled) relay.breakOff(id, "canceled");
    expect(await codeOf(await call)).toBe("401 key_revoked");
    await expect(new Response(body).text()).rejects.toThrow();
    expect(await codeOf(await ask(text))).toBe("401 key_revoked");
  });

  test("leaves the calls of others alone, and a change of what a key may do ends only its streams", async () => {
    const relay = await server.relay(CONNECTOR);
    const [ann, bob] = [make({ mcp: { tools: ["*"] } }), make()];
    const call = ask(ann.text);
    const running = await relay.request();
    const stream = listen(ann.text);
    const streaming = await relay.request();
    relay.head(streaming.id, 200, [["content-type", "text/event-stream"]], "data: {}\n\n");
    const others = listen(bob.text);
    const othersStream = await relay.request();
    relay.head(othersStream.id, 200, [["content-type", "text/event-stream"]], "data: {}\n\n");
    book.update(ann.entry.id, { terms: {}, limits: {}, mcp: { tools: ["read_*"] } });
    expect((await relay.reset()).id).toBe(streaming.id);
    relay.breakOff(streaming.id, "canceled");
    expect(await (await stream).text()).toBe("data: {}\n\n");
    relay.head(running.id, 200, MCP_JSON, RESULT, true);
    expect(await (await call).text()).toBe(RESULT);
    expect(relay.frames.waiting).toBe(0);
    await (await others).body?.cancel();
    relay.breakOff((await relay.reset()).id, "canceled");
  });

  test("of a replaced secret ends what it was let in for, and not the new one", async () => {
    const relay = await server.relay(CONNECTOR);
    const { entry, text } = make();
    const next = book.rotate(entry.id, 0, BY);
    expect(await codeOf(await ask(text))).toBe("401 key_rotated");
    const answer = ask(next.text);
    await serve(relay);
    expect((await answer).status).toBe(200);
  });
});

describe("a connector relay", () => {
  test("is refused where nobody has a key, and where the dialect cannot tell it who calls", async () => {
    const open = new McpServer({ apiKeys: [] });
    const path = "/api/mcp/connect";
    const register = { type: undefined, client_key: CLIENT_KEY, id: "tools", ...CONNECTOR };
    const refused = new NativeWorker({ url: open.url, path, register });
    expect(await refused.closed).toEqual({ code: 1008, reason: "callers have no keys" });
    await open.stop();
    const legacy = new WebSocket(`${server.url.replace("http", "ws")}/api/mcp/connect`);
    const closed = new Promise<string>((resolve) => legacy.addEventListener("close", ({ reason }) => resolve(reason)));
    legacy.addEventListener("open", () =>
      legacy.send(JSON.stringify({ id: "old", client_key: CLIENT_KEY, ...CONNECTOR })),
    );
    expect(await closed).toContain("callers have no keys");
  });

  test("that says another access when it comes back gets no key of its former callers", async () => {
    const relay = await server.relay(CONNECTOR);
    const { text } = make();
    relay.socket.close();
    await eventually(async () => (await server.mcpState()).relays_summary.connected === 0);
    // It is waited for, under the access that it had.
    const waiting = ask(text);
    const changed = await server.relay({ info: { auth: "none" } });
    const { head } = await serve(changed);
    expect(JSON.stringify(head)).not.toContain(text);
    expect(head.caller).toBeUndefined();
    await waiting;
    const token = ask("a token of the relay");
    expect((await serve(changed)).head.headers).toContainEqual(["authorization", "Bearer a token of the relay"]);
    await token;
  });

  test("that was waited for lets in nobody without a key", async () => {
    const relay = await server.relay({ info: { auth: "none" } });
    relay.socket.close();
    await eventually(async () => (await server.mcpState()).relays_summary.connected === 0);
    const waiting = ask(undefined);
    const changed = await server.relay(CONNECTOR);
    expect(await codeOf(await waiting)).toBe("401 invalid_api_key");
    expect(changed.frames.waiting).toBe(0);
  });
});

test("wrong keys count against their address, and right ones are let in all the same", async () => {
  await server.stop();
  server = new McpServer({ authFailuresPerMinute: 2 }, {}, { book, isKept: true, file: undefined });
  const relay = await server.relay(CONNECTOR);
  const from = { "x-forwarded-for": "198.51.100.7" };
  for (const guess of ["guess-1", "guess-2"]) expect((await ask(guess, LIST, from)).status).toBe(401);
  expect(await codeOf(await ask("guess-3", LIST, from))).toBe("429 too_many_auth_failures");
  expect((await ask("guess-4", LIST, { "x-forwarded-for": "198.51.100.8" })).status).toBe(401);
  const answer = ask(make().text, LIST, from);
  await serve(relay);
  expect((await answer).status).toBe(200);
});
