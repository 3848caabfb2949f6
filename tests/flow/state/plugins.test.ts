import { afterEach, expect, test } from "bun:test";
import type { ServerState } from "../../../src/state/server-state.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../../support/test-server.ts";

let server: TestServer;
let clock: FakeClock;
afterEach(() => server.stop());

function start(plugins: readonly string[]): void {
  clock = new FakeClock();
  server = new TestServer({ plugins, adminKeys: [API_KEY], pingIntervalMs: 3_600_000 }, { clock });
}

async function overview(): Promise<ServerState> {
  const envelope = (await (await server.fetch("/api/state")).json()) as { server: ServerState }; // Its own shape.
  return envelope.server;
}

test("MCP relays count as workers, and their calls as requests", async () => {
  start(["mcp"]);
  const relay = await NativeWorker.connect({
    url: server.url,
    path: "/api/mcp/connect",
    register: { id: "tools", client_key: CLIENT_KEY },
  });
  clock.advance(1000);
  expect(await overview()).toMatchObject({ state: "ready", sample: { workers_idle: 1, workers_working: 0 } });

  const call = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  const answer = server.post("/api/mcp/id/tools", call, {
    headers: { accept: "application/json, text/event-stream" },
  });
  const { id } = await relay.request();
  clock.advance(1000);
  expect((await overview()).sample).toMatchObject({ workers_idle: 0, workers_working: 1, requests: 0 });
  relay.answerJson(id, { jsonrpc: "2.0", id: 1, result: {} });
  expect((await answer).status).toBe(200);
  clock.advance(1000);
  const { sample } = await overview();
  expect(sample).toMatchObject({ workers_idle: 1, requests: 1, failures: 0 });
  expect(sample.bytes).toBeGreaterThan(20);
});

test("a silent relay is reported as a problem", async () => {
  start(["mcp"]);
  const relay = await NativeWorker.connect({
    url: server.url,
    path: "/api/mcp/connect",
    register: { id: "tools", name: "my tools", client_key: CLIENT_KEY },
  });
  // Nothing passes in real time, so no answer to a ping can.
  clock.advance(2 * 3_600_000 + 2000);
  expect((await overview()).problems).toMatchObject([{ code: "worker_stale", plugin: "mcp" }]);
  relay.close();
});

test("the transfer plugin needs no workers, and its bytes are counted", async () => {
  start(["transfer"]);
  clock.advance(60_000);
  expect(await overview()).toMatchObject({ state: "ready", problems: [] });
  const { channel_id: channel } = (await (await server.post("/api/transfer", {})).json()) as { channel_id: string }; // As documented.
  const writing = server.fetch(`/api/transfer/${channel}`, { method: "POST", body: "12345" });
  expect(await (await server.fetch(`/api/transfer/${channel}`)).text()).toBe("12345");
  // The server looks by its clock whether the reader's connection is done.
  await eventually(() => {
    clock.advance(10);
    return Bun.peek.status(writing) !== "pending";
  }, "the writer is answered");
  clock.advance(1000);
  expect((await overview()).sample).toMatchObject({ requests: 1, failures: 0 });
  const history = (await (await server.fetch("/api/state/history")).json()) as { samples: { bytes: number[] } }; // As documented.
  expect(history.samples.bytes.reduce((sum, bytes) => sum + bytes, 0)).toBe(5);
});

test("guessed keys and missing keys are reported as problems", async () => {
  start(["llm"]);
  await server.worker();
  for (let n = 0; n < 20; n += 1) await fetch(`${server.url}/v1/models`);
  clock.advance(1000);
  expect((await overview()).problems).toMatchObject([{ code: "too_many_auth_failures", severity: "warning" }]);
  clock.advance(61_000);
  expect((await overview()).problems).toEqual([]);
  await server.stop();

  clock = new FakeClock();
  server = new TestServer({ apiKeys: [], clientKeys: [], plugins: ["transfer"] }, { clock });
  clock.advance(1000);
  expect((await overview()).problems.map(({ code, severity }) => `${code} ${severity}`)).toEqual([
    "keys_not_set info",
    "keys_not_set info",
  ]);
});
