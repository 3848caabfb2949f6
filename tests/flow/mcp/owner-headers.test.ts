import { afterEach, describe, expect, test } from "bun:test";
import { createLog } from "../../../src/system/log.ts";
import { readServersFile } from "../../../src/worker/mcp/servers-file.ts";
import { eventually } from "../../support/eventually.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { startSseMcpServer } from "../../support/sse-mcp-server.ts";
import { startTestWorker } from "../../support/test-worker.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const INITIALIZE = {
  ...LIST,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
};

/** Serves the entries of a servers file. Returns the server and what the worker logs. */
async function serve(entries: object, env: Record<string, string> = {}, more: object = {}) {
  const server = new McpServer();
  running.push(server);
  const readFile = (): string => JSON.stringify({ mcpServers: entries, ...more });
  const { servers, faults } = readServersFile("mcp.json", { env, readFile });
  expect(faults).toEqual([]);
  const log: string[] = [];
  const worker = startTestWorker(
    { kinds: ["mcp"], server: server.url, relays: servers, drainTimeoutMs: 0 },
    { log: createLog({ level: "debug", format: "json", write: (line) => log.push(line), now: Date.now }) },
  );
  running.push(worker);
  await worker.registered;
  return { server, log };
}

function startUpstream(handle: (request: Request) => Response): string {
  const upstream = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: handle });
  running.push({ stop: () => upstream.stop(true) });
  return `http://127.0.0.1:${upstream.port}`;
}

describe("headers of a relay's owner", () => {
  test("reach the MCP server with every request, and nobody else", async () => {
    const seen: string[] = [];
    const elsewhere = startUpstream((request) => Response.json({ stolen: request.headers.get("authorization") }));
    const origin = startUpstream((request) => {
      const { pathname } = new URL(request.url);
      seen.push(
        `${request.method} ${pathname} ${request.headers.get("authorization")} ${request.headers.get("mcp-team")}`,
      );
      if (pathname === "/mcp") return new Response(null, { status: 307, headers: { location: "/mcp/" } });
      const isOver = request.headers.get("last-event-id") === "leave";
      return isOver
        ? new Response(null, { status: 307, headers: { location: `${elsewhere}/mcp` } })
        : Response.json({});
    });
    const headers = { Authorization: `Bearer \${TOOLS_KEY}`, "MCP-Team": "ours" };
    const { server, log } = await serve(
      { tools: { url: `${origin}/mcp`, id: "tools", headers } },
      { TOOLS_KEY: "k-1" },
    );
    const said = { authorization: "Bearer of-a-caller", "mcp-team": "theirs" };
    expect((await server.rpc(LIST, { headers: said })).status).toBe(200);
    expect((await server.call("DELETE", { headers: said })).status).toBe(200);
    const left = await server.call("GET", { headers: { ...said, "last-event-id": "leave" } });
    expect(left.status).toBe(502);
    expect(await left.text()).not.toContain("k-1");
    expect(seen).toEqual([
      "POST /mcp Bearer k-1 ours",
      "POST /mcp/ Bearer k-1 ours",
      "DELETE /mcp/ Bearer k-1 ours",
      "GET /mcp/ Bearer k-1 ours",
    ]);
    expect(log.join("\n") + JSON.stringify(await server.mcpState())).not.toContain("k-1");
  });

  test("reach a server that speaks HTTP with SSE, too", async () => {
    const upstream = await startSseMcpServer();
    running.push(upstream);
    const seen = new Set<string>();
    const target = new URL(upstream.url);
    const front = startUpstream(((request: Request) => {
      const url = new URL(request.url);
      seen.add(`${request.method} ${request.headers.get("x-key")}`);
      return fetch(`${target.origin}${url.pathname}${url.search}`, {
        method: request.method,
        headers: request.headers,
        body: request.body,
      });
    }) as unknown as (request: Request) => Response); // Bun also takes a promise of a response.
    const { server } = await serve({
      old: { type: "sse", url: `${front}${target.pathname}`, id: "old", headers: { "X-Key": "k-2" } },
    });
    const response = await server.rpc(INITIALIZE, {}, "/api/mcp/id/old/mcp");
    expect(await response.text()).toContain('"name":"sse"');
    expect([...seen].sort()).toEqual(["GET k-2", "POST k-2"]);
  });
});

test("fields of a client's file that have no effect are named in the log, and the lists that restrict apart from them", async () => {
  const origin = startUpstream(() => Response.json({}));
  const { log } = await serve({
    g: { httpUrl: `${origin}/mcp`, timeout: 5000, trust: true, includeTools: ["read"], excludeTools: ["write"] },
  });
  const lineOf = (event: string): Promise<object> =>
    eventually(() => {
      const found = log.find((line) => line.includes(`"event":"${event}"`));
      return found === undefined ? undefined : (JSON.parse(found) as object); // this program's own log
    });
  expect(await lineOf("fields.ignored")).toMatchObject({ level: "warn", relay: "g", fields: "timeout, trust" });
  expect(await lineOf("relay.restricted")).toMatchObject({ level: "info", lists: "tools" });
});

test("so are those of servers that have no relays of their own", async () => {
  const origin = startUpstream(() => Response.json({}));
  const g = { httpUrl: `${origin}/mcp`, trust: true, includeTools: ["read"] };
  const { log } = await serve({ g }, {}, { one_url: { id: "team", only: true } });
  const linesOf = (event: string): readonly string[] => log.filter((line) => line.includes(`"event":"${event}"`));
  await eventually(() => linesOf("relay.restricted").length > 0);
  expect(JSON.parse(linesOf("fields.ignored")[0] ?? "{}")).toMatchObject({
    level: "warn",
    server: "g",
    fields: "trust",
  });
  expect(JSON.parse(linesOf("relay.restricted")[0] ?? "{}")).toMatchObject({
    level: "info",
    server: "g",
    lists: "tools",
  });
});
