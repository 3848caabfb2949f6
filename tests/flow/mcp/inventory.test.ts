import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Backend } from "../../../src/answering/opening.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { MAX_INVENTORY_BYTES } from "../../../src/wire/mcp-inventory.ts";
import { UpstreamHealth } from "../../../src/worker/mcp/health.ts";
import { createInventory, type Inventory } from "../../../src/worker/mcp/inventory.ts";
import { createUrlUpstream } from "../../../src/worker/mcp/url-upstream.ts";
import { processesOf, smallServer, stdioBridge } from "../../support/bridge-client.ts";
import { eventually } from "../../support/eventually.ts";
import { startFixture } from "../../support/mcp-rig.ts";
import { startSseMcpServer } from "../../support/sse-mcp-server.ts";

const FIXTURE = join(import.meta.dir, "../../../scripts/conformance/fixture-server.mjs");
const running: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});

function inventoryOf(backend: Backend & { close(): Promise<void> }): Inventory {
  running.push(() => backend.close());
  return createInventory(backend, systemClock);
}

function urlInventory(url: string): Inventory {
  const deps = { clock: systemClock, ids: systemIds, log: silentLog };
  const limits = { maxSessions: 10, idleMs: 60_000 };
  const health = new UpstreamHealth();
  const options = { url, headers: [], transport: "auto", isOauth: false, proxy: false, limits, health, deps } as const;
  return inventoryOf(createUrlUpstream(options));
}

/** Serves one MCP server of the era with sessions, by its answers to single methods. */
function answering(answers: Readonly<Record<string, object>>, kind: "json" | "events" = "json") {
  const seen: { readonly method: string; readonly params?: { readonly cursor?: string } }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (request.method !== "POST") {
        seen.push({ method: request.method });
        return new Response(null, { status: request.method === "DELETE" ? 200 : 405 });
      }
      const { id, method, params } = (await request.json()) as (typeof seen)[number] & { id?: number };
      seen.push({ method, params });
      if (id === undefined) return new Response(null, { status: 202 });
      const about = {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {}, prompts: {} },
        serverInfo: { name: "odd", version: "1" },
      };
      const result = method === "initialize" ? about : answers[params?.cursor ?? method];
      if (result === undefined) return Response.json({ jsonrpc: "2.0", id, error: { code: -32601, message: "no" } });
      const text = JSON.stringify({ jsonrpc: "2.0", id, result });
      const headers = { "mcp-session-id": "s", "content-type": "application/json" };
      if (kind === "json") return new Response(text, { headers });
      return new Response(`data: ${text}\n\n`, { headers: { ...headers, "content-type": "text/event-stream" } });
    },
  });
  running.push(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}/`, seen };
}

describe("the inventory of an MCP server", () => {
  test("has the tools, prompts, resources and templates of one that speaks HTTP", async () => {
    const fixture = await startFixture();
    running.push(() => fixture.stop());
    const facts = await urlInventory(fixture.url).read();
    expect(facts.serverInfo?.name).toBeString();
    const tool = facts.tools.find(({ name }) => name === "test_simple_text");
    expect(tool).toMatchObject({ description: expect.any(String), inputSchema: { type: "object" } });
    expect(facts.prompts.length).toBeGreaterThan(0);
    expect(facts.resources.length).toBeGreaterThan(0);
    expect(facts.resourceTemplates.length).toBeGreaterThan(0);
    expect(facts.isCut).toBe(false);
  });

  test("has the same of one that speaks stdio, and its process ends with a session", async () => {
    const facts = await inventoryOf(stdioBridge(`${process.execPath} ${FIXTURE} --stdio`)).read();
    expect(facts.tools.some(({ name }) => name === "test_simple_text")).toBe(true);
    expect(facts.resourceTemplates.length).toBeGreaterThan(0);
  });

  test("leaves no process of a server with sessions behind", async () => {
    const mark = `moorage-inventory-${process.pid}`;
    const inventory = inventoryOf(stdioBridge(smallServer(mark)));
    // The small server's list has no tools in it.
    expect(await inventory.read()).toMatchObject({ serverInfo: { name: "t" }, tools: [] });
    await eventually(() => processesOf(mark) === 0, "its process has ended");
  });

  test("has the tools of one that speaks HTTP with SSE", async () => {
    const server = await startSseMcpServer();
    running.push(() => server.stop());
    const facts = await urlInventory(server.url).read();
    expect(facts).toMatchObject({ serverInfo: { name: "sse" }, tools: [{ name: "ask" }] });
    await eventually(() => server.streams === 0, "its connection has ended");
  });

  test.each(["json", "events"] as const)(
    "has all pages of a list, answered as %s, and ends its session",
    async (kind) => {
      const answers = {
        "tools/list": { tools: [{ name: "a" }, { broken: true }], nextCursor: "two" },
        two: { tools: [], nextCursor: "three" },
        three: { tools: [{ name: "b" }] },
        "prompts/list": { prompts: [] },
      };
      const { url, seen } = answering(answers, kind);
      expect(await urlInventory(url).read()).toMatchObject({ tools: [{ name: "a" }, { name: "b" }], isCut: true });
      expect(seen.filter(({ method }) => method === "DELETE")).toHaveLength(1);
    },
  );

  test("is cut where the cursors of a list never end", async () => {
    const { url, seen } = answering({
      "tools/list": { tools: [{ name: "a" }], nextCursor: "one" },
      one: { tools: [{ name: "a" }], nextCursor: "two" },
      two: { tools: [{ name: "a" }], nextCursor: "one" },
      "prompts/list": { prompts: [] },
    });
    expect((await urlInventory(url).read()).isCut).toBe(true);
    expect(seen.length).toBeLessThan(120);
  });

  test("is cut where the answer has no list", async () => {
    const { url } = answering({ "tools/list": {}, "prompts/list": { prompts: [] } });
    expect(await urlInventory(url).read()).toMatchObject({ tools: [], isCut: true });
  });

  test("is cut where a list that does not matter to rules fails", async () => {
    const { url } = answering({ "tools/list": { tools: [{ name: "a" }] } });
    expect(await urlInventory(url).read()).toMatchObject({ tools: [{ name: "a" }], prompts: [], isCut: true });
  });

  test.each([
    ["that fails", undefined, "does not list its tools"],
    ["larger than the limit", { tools: [{ name: "a", description: "d".repeat(MAX_INVENTORY_BYTES) }] }, "more than"],
  ])("cannot be had with a list of tools %s", async (_what, tools, why) => {
    for (const kind of ["json", "events"] as const) {
      const { url } = answering(tools ? { "tools/list": tools } : {}, kind);
      await expect(urlInventory(url).read()).rejects.toThrow(why);
    }
  });

  test("cannot be had of a server that is down", async () => {
    await expect(urlInventory("http://127.0.0.1:1/").read()).rejects.toThrow("does not list its tools");
  });
});
