import { afterEach, expect, test } from "bun:test";
import type { Deps } from "../../../src/system/deps.ts";
import { createLog } from "../../../src/system/log.ts";
import { readServersFile } from "../../../src/worker/mcp/servers-file.ts";
import type { Worker } from "../../../src/worker/worker.ts";
import { eventually } from "../../support/eventually.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { startSseMcpServer } from "../../support/sse-mcp-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

const STDIO = new URL("../../support/stdio-mcp-server.ts", import.meta.url).pathname;
const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
};

interface Surroundings {
  readonly log?: Deps["log"];
  readonly env?: Readonly<Record<string, string>>;
}

function serve(
  server: McpServer,
  file: object,
  { log, env = {} }: Surroundings = {},
): { worker: Worker; printed: string[] } {
  const { servers, faults } = readServersFile("mcp.json", { env, readFile: () => JSON.stringify(file) });
  expect(faults).toEqual([]);
  const printed: string[] = [];
  const worker = startTestWorker(
    { kinds: ["mcp"], server: server.url, relays: servers, drainTimeoutMs: 0 },
    { print: (text) => printed.push(text), env: { PATH: process.env["PATH"], ...env }, ...(log ? { log } : {}) },
  );
  running.push(worker);
  return { worker, printed };
}

async function initialized(server: McpServer, id: string, init: RequestInit = {}): Promise<string> {
  const response = await server.rpc(INITIALIZE, init, `/api/mcp/id/${id}/mcp`);
  return `${response.status} ${await response.text()}`;
}

test("one worker serves several MCP servers, each behind its own relay, and prints their URLs", async () => {
  const server = new McpServer();
  running.push(server);
  const old = await startSseMcpServer();
  running.push(old);
  const upstream = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => Response.json({ seen: ((await request.json()) as { method: string }).method }), // as sent below
  });
  running.push({ stop: () => upstream.stop(true) });
  const { worker, printed } = serve(server, {
    mcpServers: {
      files: { command: process.execPath, args: [STDIO, "a mark"], id: "files" },
      "old one": { url: old.url, id: "old" },
      tickets: { url: `http://127.0.0.1:${upstream.port}/mcp`, id: "tickets", auth_token: "t-1" },
    },
  });
  expect([...(await worker.registered)].sort()).toEqual(["files", "old", "tickets"]);
  const [files, sse, refused, tickets] = await Promise.all([
    initialized(server, "files"),
    initialized(server, "old"),
    initialized(server, "tickets"),
    initialized(server, "tickets", { headers: { authorization: "Bearer t-1" } }),
  ]);
  expect(files).toContain('"name":"t"');
  // The worker detects that this server has no Streamable HTTP.
  expect(sse).toContain('"name":"sse"');
  expect(refused).toStartWith("401");
  expect(tickets).toBe('200 {"seen":"initialize"}');
  const { relays } = await server.mcpState();
  expect(relays.map(({ id, name, upstream, auth }) => [id, name, upstream, auth]).sort()).toEqual([
    ["files", "files", "stdio", "none"],
    ["old", "old one", "http", "none"],
    ["tickets", "tickets", "http", "token"],
  ]);
  const said = printed.join("\n");
  expect(said).toContain(`claude mcp add --transport http old ${server.url}/api/mcp/id/old/mcp`);
  expect(said).toContain('--header "Authorization: Bearer $AUTH_TOKEN"');
  expect(said).not.toContain("t-1");
});

test("an MCP server that cannot start, or whose id is taken, does not affect the others", async () => {
  const server = new McpServer();
  running.push(server);
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line), now: Date.now });
  serve(
    server,
    {
      mcpServers: {
        gone: { command: "/no/such/program", args: [], id: "gone" },
        good: { command: process.execPath, args: [STDIO, "another mark"], id: "good" },
      },
    },
    { log },
  );
  await eventually(async () => (await server.mcpState()).relays.length === 2);
  expect(await initialized(server, "good")).toContain('"name":"t"');
  expect(await initialized(server, "gone")).toContain("could not be started");
  expect(await initialized(server, "good")).toStartWith("200");
  expect(lines.some((line) => line.includes('"relay":"gone"'))).toBe(true);
});

test("a program gets no variable with a token of the file, unless its own env hands it one", async () => {
  const server = new McpServer();
  running.push(server);
  const tokens = { TICKETS_TOKEN: "t-1", NOTES_TOKEN: "t-2", OFF_TOKEN: "t-3", OWN_TOKEN: "t-4" };
  const program = { command: process.execPath, args: [STDIO, "a guarded mark"] };
  const { worker } = serve(
    server,
    {
      mcpServers: {
        envy: { ...program, id: "envy" },
        given: { ...program, id: "given", env: { TICKETS_TOKEN: `\${TICKETS_TOKEN}` } },
        own: { ...program, id: "own", auth_token_env: "OWN_TOKEN" },
        tickets: { url: "http://127.0.0.1:1/mcp", id: "tickets", auth_token_env: "TICKETS_TOKEN" },
        notes: { url: "http://127.0.0.1:1/mcp", id: "notes", auth_token: `n-\${env:NOTES_TOKEN}` },
        off: { url: "http://127.0.0.1:1/mcp", id: "off", auth_token_env: "OFF_TOKEN", disabled: true },
      },
    },
    { env: { ...tokens, LANG: "C" } },
  );
  await worker.registered;
  const variablesOf = async (id: string, headers: Record<string, string> = {}): Promise<string[]> => {
    const path = `/api/mcp/id/${id}/mcp`;
    const opened = await server.rpc(INITIALIZE, { headers }, path);
    await opened.text();
    const session = opened.headers.get("mcp-session-id") ?? expect.unreachable();
    const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "env" } };
    const answer = await server.rpc(message, { headers: { ...headers, "mcp-session-id": session } }, path);
    const text = await answer.text();
    expect(text).toContain('"LANG"');
    return Object.keys(tokens).filter((name) => text.includes(`"${name}"`));
  };
  expect(await variablesOf("envy")).toEqual([]);
  expect(await variablesOf("given")).toEqual(["TICKETS_TOKEN"]);
  expect(await variablesOf("own", { authorization: "Bearer t-4" })).toEqual([]);
});

test("a relay keeps its generated id after a lost connection", async () => {
  const server = new McpServer();
  running.push(server);
  const { worker } = serve(server, { mcpServers: { a: { command: process.execPath, args: [STDIO, "third mark"] } } });
  const [id = ""] = await worker.registered;
  const since = (await server.mcpState()).relays[0]?.connected_at;
  await server.fetch(`/api/state/workers/${id}/disconnect`, { method: "POST" });
  // It may be back before anybody sees that it was gone.
  const back = await eventually(async () => {
    const [relay] = (await server.mcpState()).relays;
    return relay && relay.connected_at !== since ? relay : undefined;
  }, "the relay is back");
  expect(back.id).toBe(id);
});

test("an MCP server that refuses a request is probed once for its transport, and its own answer is passed on", async () => {
  const server = new McpServer();
  running.push(server);
  const methods: string[] = [];
  const upstream = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      methods.push(request.method);
      return Response.json({ its: "own" }, { status: request.method === "GET" ? 405 : 404 });
    },
  });
  running.push({ stop: () => upstream.stop(true) });
  const url = `http://127.0.0.1:${upstream.port}/mcp`;
  const { worker } = serve(server, { mcpServers: { a: { url, id: "a" } } });
  await worker.registered;
  for (let tries = 0; tries < 3; tries += 1) expect(await initialized(server, "a")).toBe('404 {"its":"own"}');
  expect(methods).toEqual(["POST", "GET", "POST", "POST"]);
});

test("a client that disconnects during the probe of the transport does not affect later clients", async () => {
  const server = new McpServer();
  running.push(server);
  const hello = Promise.withResolvers<void>();
  const upstream = await startSseMcpServer({ hello: hello.promise });
  running.push(upstream);
  const { worker } = serve(server, { mcpServers: { a: { url: upstream.url, id: "a" } } });
  await worker.registered;
  const impatient = initialized(server, "a", { signal: AbortSignal.timeout(100) });
  await expect(impatient).rejects.toThrow();
  hello.resolve();
  expect(await initialized(server, "a")).toStartWith("200 ");
});

test("the log tells the relay's owner at once if nothing listens at the URL, and the last output of a process that ended", async () => {
  const server = new McpServer();
  running.push(server);
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", write: (line) => lines.push(line), now: Date.now });
  const closed = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const away = `http://127.0.0.1:${closed.port}/mcp`;
  await closed.stop(true);
  serve(
    server,
    {
      mcpServers: { away: { url: away, id: "away" }, poor: { command: "echo no key is set >&2; exit 3", id: "poor" } },
    },
    { log },
  );
  await eventually(async () => (await server.mcpState()).relays.length === 2);
  await eventually(() => lines.some((line) => line.includes('"event":"upstream.away"')), "the owner is told");
  expect(await initialized(server, "poor")).toContain("ended with code 3");
  await eventually(() => lines.some((line) => line.includes('"level":"warn"') && line.includes("no key is set")));
});

test("the dashboard shows a relay whose program cannot start, or whose server is away, as broken until it works", async () => {
  const server = new McpServer();
  running.push(server);
  const closed = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const { port } = closed;
  await closed.stop(true);
  serve(server, {
    mcpServers: {
      gone: { command: "/no/such/program", args: [], id: "gone" },
      poor: { command: "exit 3", id: "poor" },
      away: { url: `http://127.0.0.1:${port}/mcp`, id: "away" },
      good: { command: process.execPath, args: [STDIO, "a good mark"], id: "good" },
    },
  });
  const relayOf = async (id: string) => (await server.mcpState()).relays.find((relay) => relay.id === id);
  // Nobody has called yet.
  await eventually(async () => (await relayOf("away"))?.status === "broken", "the server that is away is shown");
  expect(await relayOf("away")).toMatchObject({
    status_reason: expect.stringContaining("cannot be reached"),
    failures_total: 0,
  });
  for (const id of ["gone", "poor", "poor", "away", "good"]) await initialized(server, id);
  expect(await relayOf("gone")).toMatchObject({
    status: "broken",
    status_reason: expect.stringContaining("could not be started"),
    served_total: 0,
    failures_total: 1,
    last_error: "upstream_status_502",
  });
  expect(await relayOf("poor")).toMatchObject({
    status: "broken",
    status_reason: expect.stringContaining("ended with code 3"),
    failures_total: 2,
  });
  expect(await relayOf("away")).toMatchObject({ failures_total: 1, last_error: "upstream_unreachable" });
  expect(await relayOf("good")).toMatchObject({
    status: "ready",
    served_total: 1,
    failures_total: 0,
    last_error: null,
  });
  const back = Bun.serve({ hostname: "127.0.0.1", port: Number(port), fetch: () => Response.json({ up: true }) });
  running.push({ stop: () => back.stop(true) });
  expect(await initialized(server, "away")).toStartWith("200");
  await eventually(async () => (await relayOf("away"))?.status === "ready", "the server is back");
});

test("a client of the transport from 2024 is told which one to use", async () => {
  const server = new McpServer();
  running.push(server);
  const { worker } = serve(server, {
    mcpServers: { a: { command: process.execPath, args: [STDIO, "an old mark"], id: "a" } },
  });
  await worker.registered;
  const response = await server.call("GET", { headers: { accept: "text/event-stream" } }, "/api/mcp/id/a/mcp");
  expect(response.status).toBe(400);
  expect(await response.text()).toContain("must use Streamable HTTP ('http') here");
});
