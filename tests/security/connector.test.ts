import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Client, StreamableHTTPClientTransport, type VersionNegotiationMode } from "@modelcontextprotocol/client";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import type { KeyTerms } from "../../src/keys/key-terms.ts";
import { systemClock } from "../../src/system/clock.ts";
import { createLog } from "../../src/system/log.ts";
import type { WorkerSettings } from "../../src/worker/args.ts";
import { startFixture } from "../support/mcp-rig.ts";
import { McpServer } from "../support/mcp-server.ts";
import { startTestWorker } from "../support/test-worker.ts";

// What callers of a connector relay, and the owner of such a relay, can reach and find out, with the real worker.

const BY = { by: "admin-key:1" };
const PATH = "/api/mcp/id/tools/mcp";
const ERAS: readonly (readonly [name: string, mode: VersionNegotiationMode])[] = [
  ["2026 era", { pin: "2026-07-28" }],
  ["2025 era", "legacy"],
];

let book: KeyBook;
let server: McpServer;
const lines: string[] = [];
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  lines.length = 0;
  const log = createLog({ level: "debug", format: "json", now: Date.now, write: (line) => void lines.push(line) });
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  server = new McpServer({ apiKeys: [] }, { log }, { book, isKept: true, file: undefined });
  cleanups.push(() => server.stop());
  // Without any key for clients, the server takes no such relay.
  make();
});
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const make = (terms: Partial<KeyTerms> = {}) =>
  book.create({ kind: "client", terms: { name: "ann", limits: {}, ...terms } }, BY).text;

async function relay(settings: Partial<WorkerSettings>): Promise<void> {
  const started = {
    kinds: ["mcp"],
    server: server.url,
    id: "tools",
    drainTimeoutMs: 0,
    mcpAccess: "connector",
  } as const;
  const worker = startTestWorker({ ...started, ...settings });
  cleanups.push(() => worker.stop());
  await worker.registered;
}

/** Serves the MCP server of the official suite. */
async function relayOfFixture(): Promise<void> {
  const fixture = await startFixture();
  cleanups.push(() => fixture.stop());
  await relay({ mcpUrl: fixture.url });
}

/** Serves an MCP server that answers each request with nothing, and returns the headers and bodies that it gets. */
async function relayOfWitness(settings: Partial<WorkerSettings> = {}) {
  const seen: { readonly headers: Headers; readonly body: string }[] = [];
  const witness = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      seen.push({ headers: request.headers, body: await request.text() });
      return Response.json({ jsonrpc: "2.0", id: 7, result: { tools: [] } });
    },
  });
  cleanups.push(() => witness.stop(true));
  await relay({ mcpUrl: `http://127.0.0.1:${witness.port}/mcp`, ...settings });
  return seen;
}

const ask = (key: string, message: unknown, headers: Record<string, string> = {}) =>
  server.rpc(message, { headers: { ...headers, authorization: `Bearer ${key}` } }, PATH);

async function connect(key: string, mode: VersionNegotiationMode): Promise<Client> {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}${PATH}`), { requestInit }));
  cleanups.push(() => client.close());
  return client;
}

describe("a restricted key", () => {
  test.each(ERAS)(
    "lists the tools that it may use and calls no other one: %s",
    async (_name, mode) => {
      await relayOfFixture();
      const client = await connect(make({ mcp: { tools: ["test_simple_*"], prompts: [], resources: [] } }), mode);
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["test_simple_text"]);
      expect((await client.listPrompts()).prompts).toEqual([]);
      expect((await client.listResources()).resources).toEqual([]);
      const { content } = await client.callTool({ name: "test_simple_text", arguments: {} });
      expect(content).toMatchObject([{ type: "text" }]);
      await expect(client.callTool({ name: "test_image_content", arguments: {} })).rejects.toThrow(
        /test_image_content/,
      );
      await expect(client.readResource({ uri: "test://static-text" })).rejects.toThrow();
      const all = await connect(make(), mode);
      expect((await all.listTools()).tools.length).toBeGreaterThan(3);
    },
    30_000,
  );

  test("calls no other tool in a body of 8 MiB whose method stands at its end, in a batch, or with two names", async () => {
    const seen = await relayOfWitness();
    const key = make({ mcp: { tools: ["read_*"] } });
    const params = { arguments: { text: "x".repeat(8 * 1024 * 1024) }, name: "write_file" };
    const messages: readonly unknown[] = [
      { params, jsonrpc: "2.0", id: 7, method: "tools/call" },
      [{ jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "write_file" } }],
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"write_file","name":"read_file","name":"write_file"}}',
      '{"jsonrpc":"2.0","id":7,"method":"tools/list","method":"tools/call","params":{"name":"write_file"}}',
      '{"jsonrpc":"2.0","id":7,"method":"tools\\u002fcall","params":{"n\\u0061me":"write_file"}}',
    ];
    for (const message of messages) {
      const response = await ask(key, message, { "mcp-method": "tools/list", "mcp-name": "read_file" });
      expect(await response.text()).toContain('"error"');
    }
    expect(seen.filter(({ body }) => body.includes("write_file"))).toEqual([]);
    expect(
      (await ask(key, { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "read_file" } })).status,
    ).toBe(200);
    expect(seen.at(-1)?.body).toContain("read_file");
  }, 30_000);
});

describe("the key of a caller", () => {
  test("reaches neither the relay's MCP server nor any log, and the owner's own key takes its place", async () => {
    const seen = await relayOfWitness({ mcpHeaders: [["Authorization", "Bearer the-owners-own"]] });
    const key = make();
    const more = { "x-api-key": key, "api-key": key, cookie: `k=${key}`, "proxy-authorization": `Bearer ${key}` };
    expect((await ask(key, { jsonrpc: "2.0", id: 7, method: "tools/list" }, more)).status).toBe(200);
    const [{ headers } = { headers: new Headers() }] = seen.slice(-1);
    expect(headers.get("authorization")).toBe("Bearer the-owners-own");
    expect(JSON.stringify([...headers])).not.toContain(key);
    expect(lines.join()).not.toContain(key);
    expect(lines.some((line) => line.includes('"call.ended"') && line.includes('"caller":"key:'))).toBe(true);
  });

  test("is not passed on to a relay that checks tokens itself either", async () => {
    const seen = await relayOfWitness({ mcpAccess: "none" });
    const key = make();
    expect((await ask(key, { jsonrpc: "2.0", id: 7, method: "tools/list" })).status).toBe(200);
    expect(seen.some(({ headers }) => headers.get("authorization") !== null)).toBe(false);
  });
});

test("an MCP session of one caller does not exist for another one", async () => {
  await relayOfFixture();
  const [ann, bob] = [make(), make()];
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } };
  const opened = await ask(ann, { jsonrpc: "2.0", id: 0, method: "initialize", params });
  const session = opened.headers.get("mcp-session-id") ?? expect.unreachable();
  const within = { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" };
  await opened.text();
  const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  const statusAs = async (key: string): Promise<number> => (await ask(key, list, within)).status;
  expect(await statusAs(ann)).toBe(200);
  expect(await statusAs(bob)).toBe(404);
  for (const method of ["GET", "DELETE"]) {
    const headers = { ...within, accept: "text/event-stream", authorization: `Bearer ${bob}` };
    expect((await server.call(method, { headers }, PATH)).status).toBe(404);
  }
  expect(await statusAs(ann)).toBe(200);
}, 30_000);

test("nobody without a key reaches the MCP server, by whatever other means", async () => {
  const seen = await relayOfWitness();
  const before = seen.length;
  const attempts: readonly Record<string, string>[] = [
    {},
    { authorization: "Bearer " },
    { authorization: "Basic dGVzdDp0ZXN0" },
    { "x-user-roles": "admin" },
    { cookie: "moorage=1" },
    { "mcp-session-id": "any" },
    { authorization: `Bearer ${book.create({ kind: "worker", terms: { name: "w", limits: {} } }, BY).text}` },
    { authorization: `Bearer ${book.create({ kind: "admin", terms: { name: "a", limits: {} } }, BY).text}` },
  ];
  for (const headers of attempts) {
    for (const method of ["POST", "GET", "DELETE"]) {
      const body = method === "POST" ? '{"jsonrpc":"2.0","id":7,"method":"tools/list"}' : null;
      const response = await server.call(
        method,
        { headers: { "content-type": "application/json", ...headers }, body },
        PATH,
      );
      expect([method, headers, response.status]).toEqual([method, headers, 401]);
    }
  }
  expect(seen.length).toBe(before);
});
