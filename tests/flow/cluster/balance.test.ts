import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Balancer } from "../../../src/demo/cluster/balancer.ts";
import { askOnAndOn, openStreams } from "../../support/cluster-load.ts";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { startFixture } from "../../support/mcp-rig.ts";
import { PacedBackend } from "../../support/paced-backend.ts";

// Three server processes behind a balancer. Workers know its address alone, and all of them begin at the first server.

const WORKERS = 9;

let cluster: ClusterProcesses;
afterEach(() => cluster.stop());

async function startServers() {
  cluster = await ClusterProcesses.start({ preloadOf: () => join(import.meta.dir, "../../support/quick-balance.ts") });
  const targets = cluster.servers.map(({ port }, at) => ({ port, isTaking: at === 0 }));
  const balancer = cluster.use(await Balancer.start(0, targets));
  return {
    balancer,
    openAll(): void {
      for (const target of targets) target.isTaking = true;
    },
  };
}

async function start() {
  const { balancer, openAll } = await startServers();
  const backend = cluster.use(new PacedBackend({ chunks: 160, everyMs: 50 }));
  const settings = { server: balancer.url, backend: backend.url, maxConcurrency: 4 };
  await Promise.all(Array.from({ length: WORKERS }, () => cluster.worker(0, settings)));
  await cluster.served("m");
  expect(await counts()).toEqual([WORKERS, 0, 0]);
  return { backend, openAll };
}

/** How many MCP relays are connected to each server. */
async function relayCounts(): Promise<readonly number[]> {
  const states = await Promise.all(cluster.servers.map(async (server) => (await server.fetch("/api/state")).json()));
  const plugins = states as { plugins: { mcp: { relays: unknown[] } } }[]; // the State API's own tests check this shape
  return plugins.map(({ plugins: { mcp } }) => mcp.relays.length);
}

/** Sends a JSON-RPC message to a relay through a server. */
function callRelay(at: number, id: string, message: object, session?: string): Promise<Response> {
  const headers = {
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    ...(session !== undefined && { "mcp-session-id": session, "mcp-protocol-version": "2025-06-18" }),
  };
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  return fetch(`${cluster.server(at).url}/api/mcp/id/${id}/mcp`, { method: "POST", headers, body });
}

const INITIALIZE = {
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};

/** The ids of the workers that are connected to a server. */
async function workersAt(server: ClusterServer): Promise<readonly string[]> {
  const { plugins } = (await (await server.fetch("/api/state")).json()) as {
    plugins: { llm: { workers: { id: string }[] } };
  }; // the State API's own tests check this shape
  return plugins.llm.workers.map(({ id }) => id).sort();
}

async function counts(): Promise<readonly number[]> {
  return (await Promise.all(cluster.servers.map(workersAt))).map(({ length }) => length);
}

const BALANCED = [3, 3, 3];

describe.skipIf(lacks("workers of a cluster that move", PROGRAMS.nats))("workers that are all at one server", () => {
  test("are spread over all servers by the balancer, without an error for a stream or a request, and stay then", async () => {
    const { backend, openAll } = await start();
    const streams = await openStreams(cluster.servers, 6, backend);
    const asking = askOnAndOn(cluster.servers, { everyMs: 30 });
    openAll();
    await eventually(async () => Bun.deepEquals(await counts(), BALANCED), "all have the same", 40_000);
    const spread = await Promise.all(cluster.servers.map(workersAt));
    await Bun.sleep(5000);
    expect(await Promise.all(cluster.servers.map(workersAt))).toEqual(spread);
    expect((await asking.stop()).failures).toEqual([]);
    expect(await streams.ended).toEqual({ whole: 6, failures: [] });
  }, 120_000);

  test("and that the balancer leads back there each move once, and lose nothing by it", async () => {
    const { backend } = await start();
    const streams = await openStreams(cluster.servers, 6, backend);
    const asking = askOnAndOn(cluster.servers, { everyMs: 30 });
    await cluster.server(0).log();
    const opened = new Map<unknown, number>();
    await eventually(
      async () => {
        for (const { event, worker } of await cluster.server(0).log())
          if (event === "session.opened") opened.set(worker, (opened.get(worker) ?? 0) + 1);
        return opened.size === WORKERS;
      },
      "each worker has come back",
      60_000,
    );
    await Bun.sleep(3000);
    for (const { event } of await cluster.server(0).log()) expect(event).not.toBe("session.opened");
    expect([...opened.values()]).toEqual(Array.from({ length: WORKERS }, () => 1));
    expect(await counts()).toEqual([WORKERS, 0, 0]);
    expect((await asking.stop()).failures).toEqual([]);
    expect(await streams.ended).toEqual({ whole: 6, failures: [] });
  }, 120_000);

  test("move with their MCP sessions: a relay answers each call of a client while it moves", async () => {
    const { balancer, openAll } = await startServers();
    const tools = cluster.use(await startFixture());
    const ids = ["tools-1", "tools-2", "tools-3", "tools-4"];
    const settings = { server: balancer.url, kinds: ["mcp"], mcpUrl: tools.url } as const;
    for (const id of ids) await cluster.worker(0, { ...settings, id });
    expect(await relayCounts()).toEqual([ids.length, 0, 0]);
    const sessions = await Promise.all(
      ids.map(async (id, each) => {
        const at = each % cluster.servers.length;
        await eventually(async () => (await callRelay(at, id, INITIALIZE)).status === 200, `server ${at} knows ${id}`);
        const began = await callRelay(at, id, INITIALIZE);
        await began.text();
        return { id, at, session: began.headers.get("mcp-session-id") ?? undefined };
      }),
    );
    expect(sessions.every(({ session }) => session !== undefined)).toBe(true);
    openAll();
    const answers = new Set<string>();
    let calls = 0;
    await eventually(
      async () => {
        for (const { id, at, session } of sessions) {
          const answer = await callRelay(at, id, { id: 2, method: "tools/list" }, session);
          answers.add(`${answer.status} ${(await answer.text()).includes("smoke_echo")}`);
          calls += 1;
        }
        return Bun.deepEquals(await relayCounts(), [2, 1, 1]);
      },
      "the relays are spread",
      40_000,
    );
    expect(calls).toBeGreaterThan(ids.length);
    expect([...answers]).toEqual(["200 true"]);
  }, 120_000);
});
