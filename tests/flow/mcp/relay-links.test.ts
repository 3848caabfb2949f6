import { afterEach, describe, expect, test } from "bun:test";
import type { Deps } from "../../../src/system/deps.ts";
import type { Config } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MCP_JSON, McpServer } from "../../support/mcp-server.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

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

describe("a relay that leaves and comes back", () => {
  test("is waited for: a call made meanwhile is served", async () => {
    const clock = new FakeClock();
    const server = start({ mcpRejoinTimeoutMs: 5000 }, { clock });
    (await server.relay()).kill();
    await eventually(async () => (await server.mcpState()).relays.length === 0, "it is gone");
    const timers = clock.pending;
    const answer = server.rpc(LIST);
    await eventually(() => clock.pending > timers, "the call waits");
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
    const clock = new FakeClock();
    const server = start({ mcpRejoinTimeoutMs: 5000, startGraceMs: 5000 }, { clock });
    const timers = clock.pending;
    const answer = server.rpc(LIST);
    await eventually(() => clock.pending > timers, "the call waits");
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
