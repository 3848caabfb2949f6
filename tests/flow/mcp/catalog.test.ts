import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import type { KeyTerms } from "../../../src/keys/key-terms.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { INVENTORY_PATH, MAX_INVENTORY_BYTES } from "../../../src/wire/mcp-inventory.ts";
import { AreaCluster } from "../../support/area-cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { startFixture } from "../../support/mcp-rig.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import type { NativeWorker } from "../../support/native-worker.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const ADMIN_KEY = "test-admin-key";
const CONNECTOR = { info: { auth: "connector", restricts: true } };

const running: { stop(): unknown }[] = [];
let book: KeyBook;
let server: McpServer;

beforeEach(() => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  server = new McpServer({ adminKeys: [ADMIN_KEY] }, {}, { book, isKept: true, file: undefined });
  running.push(server);
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly url: string;
  readonly keys?: readonly { readonly name: string }[];
  readonly ready_lines: readonly { readonly client: string; readonly text: string | null }[];
  readonly inventory: {
    readonly told: boolean;
    readonly why: string | null;
    readonly is_cut: boolean;
    readonly tools: readonly { readonly name: string; readonly description?: string; readonly inputSchema?: object }[];
    readonly prompts: readonly { readonly name: string }[];
    readonly resources: readonly object[];
  };
}

const make = (terms: Partial<KeyTerms> = {}) =>
  book.create({ kind: "client", terms: { name: "ann", limits: {}, ...terms } }, { by: "admin-key:1" });

async function get(path: string, key = ADMIN_KEY, from: Pick<McpServer, "url"> = server): Promise<Response> {
  return fetch(`${from.url}${path}`, { headers: { authorization: `Bearer ${key}` } });
}

async function list(key?: string): Promise<readonly Shown[]> {
  const response = await get("/api/mcp/catalog", key);
  expect(response.status).toBe(200);
  return ((await response.json()) as { data: readonly Shown[] }).data; // the OpenAPI document describes it
}

async function show(id: string, key?: string): Promise<Shown> {
  const response = await get(`/api/mcp/catalog/${id}`, key);
  expect(response.status).toBe(200);
  return (await response.json()) as Shown; // as above
}

/** Answers the next request of a scripted relay. */
async function tell(relay: NativeWorker, body: unknown, status = 200): Promise<void> {
  const request = await relay.request();
  expect([request.head.method, request.head.path]).toEqual(["GET", INVENTORY_PATH]);
  relay.head(request.id, status, MCP_JSON, typeof body === "string" ? body : JSON.stringify(body), true);
}

describe("the catalogue", () => {
  test("shows operators what a real MCP server behind a real worker offers", async () => {
    const fixture = await startFixture();
    running.push(fixture);
    const worker = startTestWorker({
      kinds: ["mcp"],
      server: server.url,
      id: "tools",
      mcpUrl: fixture.url,
      drainTimeoutMs: 0,
    });
    running.push(worker);
    await worker.registered;
    expect(await list()).toMatchObject([
      {
        id: "tools",
        url: `${server.url}/api/mcp/id/tools/mcp`,
        access: "none",
        status: "ready",
        keys: [],
        server: null,
      },
    ]);
    const { inventory } = await show("tools");
    expect(inventory).toMatchObject({ told: true, why: null, is_cut: false });
    expect(inventory.tools.find(({ name }) => name === "test_simple_text")?.inputSchema).toMatchObject({
      type: "object",
    });
    expect(inventory.prompts.length).toBeGreaterThan(0);
    expect(inventory.resources.length).toBeGreaterThan(0);
    // A question of the server is no call.
    expect((await (await get("/api/state")).json()) as object).toMatchObject({
      plugins: { mcp: { relays: [{ served_total: 0, calls_inflight: 0 }] } },
    });
  });

  test("shows the holder of a key the connector relays that the key may call, and what its rules leave", async () => {
    const fixture = await startFixture();
    running.push(fixture);
    const worker = startTestWorker({
      kinds: ["mcp"],
      server: server.url,
      id: "tools",
      mcpUrl: fixture.url,
      mcpAccess: "connector",
      drainTimeoutMs: 0,
    });
    running.push(worker);
    await worker.registered;
    await server.relay({ id: "open", info: { auth: "none" } });
    await server.relay({ id: "guarded", info: { auth: "token" } });
    const some = make({ name: "some", mcp: { tools: ["test_simple_*"], prompts: [], resources: [] } });
    const others = make({ name: "others", mcp: { relays: ["other-*"] } });
    const { text: all } = make({ name: "all" });
    expect((await list(some.text)).map(({ id }) => id)).toEqual(["tools"]);
    expect(await list(others.text)).toEqual([]);
    const own = await show("tools", some.text);
    expect(own.inventory.tools.map(({ name }) => name)).toEqual(["test_simple_text"]);
    expect([own.inventory.prompts, own.inventory.resources]).toEqual([[], []]);
    expect(own).not.toHaveProperty("keys");
    expect((await show("tools", all)).inventory.tools.length).toBeGreaterThan(5);
    for (const id of ["open", "guarded", "missing"])
      expect((await get(`/api/mcp/catalog/${id}`, all)).status).toBe(503);
    expect((await get("/api/mcp/catalog/tools", others.text)).status).toBe(503);
    const [relay] = (await list()).filter(({ id }) => id === "tools");
    expect(relay?.keys?.map(({ name }) => name).sort()).toEqual(["all", "some"]);
  });

  test("is for operators and holders of clients' keys alone, and a revoked key is none", async () => {
    const { entry, text } = make();
    expect((await get("/api/mcp/catalog", text)).status).toBe(200);
    book.revoke(entry.id, { by: "admin-key:1" });
    for (const key of [text, "wrong"]) expect((await get("/api/mcp/catalog", key)).status).toBe(401);
    const response = await get("/api/mcp/catalog");
    expect(response.headers.get("cache-control")).toBe("private, no-store");
    expect(response.headers.get("vary")).toContain("Authorization");
  });

  test("goes on with the next page", async () => {
    for (const id of ["a", "b", "c"]) await server.relay({ id });
    const first = (await (await get("/api/mcp/catalog?limit=2")).json()) as { next: string; data: { id: string }[] }; // as above
    expect([first.data.map(({ id }) => id), first.next]).toEqual([["a", "b"], "b"]);
    expect(await (await get(`/api/mcp/catalog?limit=2&after=${first.next}`)).json()).toMatchObject({
      data: [{ id: "c" }],
      has_more: false,
      next: null,
    });
  });

  test.each([
    ["of an earlier version", { jsonrpc: "2.0", error: {} }, 403, "earlier version"],
    [
      "whose MCP server is down",
      { message: "The MCP server does not list its tools." },
      502,
      "does not list its tools",
    ],
    ["that answers with something else", "<html>", 200, "does not answer"],
    ["that tells too much", `"${"x".repeat(MAX_INVENTORY_BYTES)}"`, 200, "too large"],
  ])("says why it does not know the tools of a relay %s", async (_what, body, status, why) => {
    const relay = await server.relay();
    const shown = show("tools");
    const request = await relay.request();
    const text = typeof body === "string" ? body : JSON.stringify(body);
    relay.head(request.id, status, MCP_JSON, "", false);
    for (let at = 0; at < text.length; at += 256 * 1024) {
      relay.data(request.id, text.slice(at, at + 256 * 1024));
    }
    relay.end(request.id);
    const { inventory } = await shown;
    expect(inventory).toMatchObject({ told: false, tools: [] });
    expect(inventory.why).toContain(why);
  });

  test("cleans what an MCP server and a relay say of themselves", async () => {
    const relay = await server.relay({ client_name: "na\u202eme" });
    const shown = show("tools");
    await tell(relay, {
      serverInfo: { name: "s\u001b[31m", version: "1\u0000" },
      instructions: "line one\nline\u2066 two",
      tools: [
        {
          name: "<script>alert(1)</script>\u202e",
          description: "a\u001b]0;x\u0007b\tc",
          inputSchema: { type: "object", properties: { "p\u202e": { description: "\u009bd", __proto__x: 1 } } },
          annotations: { readOnlyHint: true },
        },
        { name: 5 },
      ],
      prompts: [],
      resources: [],
      resourceTemplates: [],
      at: 1e300,
    });
    const { inventory } = await shown;
    expect(inventory).toMatchObject({
      server_info: { name: "s[31m", version: "1" },
      instructions: "line one\nline two",
      is_cut: true,
      tools: [
        {
          name: "<script>alert(1)</script>",
          description: "a]0;xb\tc",
          inputSchema: { properties: { p: { description: "d" } } },
        },
      ],
    });
  });

  test("asks no relay whose callers sign in to its MCP server, and none that it is asking for the same key", async () => {
    const relay = await server.relay({ info: { auth: "oauth" } });
    expect((await show("tools")).inventory.why).toContain("sign in");
    expect(relay.frames.waiting).toBe(0);
    const slow = await server.relay({ ...CONNECTOR, id: "slow" });
    const { text } = make();
    const first = show("slow", text);
    const request = await slow.request();
    expect((await get("/api/mcp/catalog/slow", text)).status).toBe(429);
    slow.head(request.id, 200, MCP_JSON, JSON.stringify({ tools: [{ name: "a" }] }), true);
    expect((await first).inventory.tools).toEqual([{ name: "a" }]);
  });

  test("gives a relay up when the client leaves, which may then ask again", async () => {
    const relay = await server.relay(CONNECTOR);
    const { text } = make();
    const client = new AbortController();
    const left = fetch(`${server.url}/api/mcp/catalog/tools`, {
      headers: { authorization: `Bearer ${text}` },
      signal: client.signal,
    });
    const { id } = await relay.request();
    client.abort();
    await expect(left).rejects.toThrow();
    expect(await relay.reset()).toMatchObject({ id });
    const again = show("tools", text);
    await tell(relay, { tools: [{ name: "a" }] });
    expect((await again).inventory.tools).toEqual([{ name: "a" }]);
  });
});

test("a server of a cluster shows the relays of all, and what an MCP server at another one offers", async () => {
  const cluster = await AreaCluster.start(["a", "b"]);
  running.push(cluster);
  cluster.follow();
  const fixture = await startFixture();
  running.push(fixture);
  for (const [id, mcpAccess] of [
    ["tools", "none"],
    ["team", "connector"],
  ] as const) {
    const worker = startTestWorker({
      kinds: ["mcp"],
      server: cluster.at("a").server.url,
      id,
      mcpUrl: fixture.url,
      mcpAccess,
      drainTimeoutMs: 0,
    });
    running.push(worker);
    await worker.registered;
  }
  const other = cluster.at("b").server;
  await eventually(async () => {
    const response = await other.fetch("/api/mcp/catalog/tools");
    return response.status === 200 && ((await response.json()) as Shown).inventory.told; // as above
  }, "the other server asks the relay");
  expect(await (await other.fetch("/api/mcp/catalog")).json()).toMatchObject({
    data: [
      { id: "team", server: "a", access: "connector" },
      { id: "tools", server: "a", access: "none" },
    ],
    missing_servers: [],
  });
  const team = (await (await other.fetch("/api/mcp/catalog/team")).json()) as Shown; // as above
  expect(team.inventory).toMatchObject({ told: true });
  expect(team.inventory.tools.length).toBeGreaterThan(5);
});
