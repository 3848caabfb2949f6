import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../../src/system/clock.ts";
import type { Clock } from "../../../src/system/deps.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import type { Bridge } from "../../../src/worker/mcp/bridge/bridge.ts";
import { createSseBridge } from "../../../src/worker/mcp/bridge/sse-bridge.ts";
import {
  ask,
  askStateless,
  callTool,
  drop,
  LIMITS,
  messagesOf,
  open,
  reading,
  say,
} from "../../support/bridge-client.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type SseMcpServer, startSseMcpServer } from "../../support/sse-mcp-server.ts";

const running: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});

function bridgeTo(url: string, clock: Clock = systemClock): Bridge {
  const bridge = createSseBridge({ url, limits: LIMITS, deps: { clock, ids: systemIds, log: silentLog } });
  running.push(() => bridge.close());
  return bridge;
}

async function start(): Promise<{ readonly bridge: Bridge; readonly server: SseMcpServer }> {
  const server = await startSseMcpServer();
  running.push(() => server.stop());
  return { bridge: bridgeTo(server.url), server };
}

describe("an MCP server that speaks HTTP+SSE, behind Streamable HTTP,", () => {
  test("serves each session over its own connection, which ends with the session", async () => {
    const { bridge, server } = await start();
    const [first, second] = [await open(bridge), await open(bridge)];
    expect(first.opening?.result).toMatchObject({ serverInfo: { name: "sse" } });
    expect(server.streams).toBe(2);
    const [answer] = (await messagesOf(await callTool(bridge, second.id, "x"))).slice(-1);
    expect(answer).toMatchObject({ id: 1, result: { content: [{ text: "x" }] } });
    expect((await drop(bridge, first.id)).status).toBe(200);
    await eventually(() => server.streams === 1, "its connection is closed");
    expect((await callTool(bridge, first.id, "x")).status).toBe(404);
  });

  test("sends progress before the result, and can ask its client during a call", async () => {
    const { bridge } = await start();
    const { id } = await open(bridge);
    await say(bridge, id, { method: "notifications/initialized" });
    const params = { name: "progress", _meta: { progressToken: "t" } };
    const told = await messagesOf(await say(bridge, id, { id: 1, method: "tools/call", params }));
    expect(told.map(({ method }) => method)).toEqual(["notifications/progress", undefined]);
    const asking = reading(await callTool(bridge, id, "ask", "a"));
    const question = /"id":(\d+)/.exec((await asking.until("sampling/createMessage")).replaceAll(/^id.*$/gm, ""))?.[1];
    const result = { role: "assistant", model: "m", content: { type: "text", text: "yes" } };
    expect((await say(bridge, id, { id: Number(question), result })).status).toBe(202);
    expect(await asking.until('"result"')).toContain('"text":"ask"');
  });

  test("learns nothing about its callers", async () => {
    const { bridge, server } = await start();
    const headers = { authorization: "Bearer x", "mcp-secret": "x", traceparent: "x" };
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const message = { jsonrpc: "2.0", id: 0, method: "initialize", params };
    await messagesOf(await ask(bridge, "POST", message, { headers }));
    expect([...server.headerNames]).toContain("content-type");
    for (const name of Object.keys(headers)) expect([...server.headerNames]).not.toContain(name);
  });

  test("supports sessions only: a stateless request is refused in such a way that clients open a session", async () => {
    const { bridge } = await start();
    const response = await askStateless(bridge, { method: "server/discover" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32_000 } });
  });
});

describe("an HTTP+SSE connection", () => {
  test("that is lost ends the session, with errors for open calls, and clients open a new one", async () => {
    const { bridge, server } = await start();
    const { id } = await open(bridge);
    const hanging = await callTool(bridge, id, "hang", "h");
    await eventually(() => server.streams === 1);
    server.cut();
    expect((await messagesOf(hanging)).at(-1)).toMatchObject({ id: "h", error: { code: -32_603 } });
    expect((await callTool(bridge, id, "x")).status).toBe(404);
    expect((await open(bridge)).opening?.result).toBeDefined();
    expect(server.streams).toBe(1);
  });

  test("that cannot be opened fails the opening request and leaves no session", async () => {
    const gone = await startSseMcpServer();
    await gone.stop();
    const bridge = bridgeTo(gone.url);
    expect((await open(bridge)).opening?.error).toMatchObject({ code: -32_603 });
    expect(bridge.sessions).toBe(0);
  });

  test("that stays silent is given up after half a minute", async () => {
    const clock = new FakeClock();
    const silent = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: () => new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } }),
    });
    running.push(() => silent.stop(true));
    const bridge = bridgeTo(`http://127.0.0.1:${silent.port}/sse`, clock);
    const opening = open(bridge);
    await eventually(() => bridge.sessions === 1);
    clock.advance(30_000);
    expect((await opening).opening?.error?.message).toContain("in time");
    expect(bridge.sessions).toBe(0);
  });

  test("whose event never ends is given up", async () => {
    const piece = new Uint8Array(1024 * 1024).fill(120);
    const endless = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: () => {
        const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => controller.enqueue(piece);
        return new Response(new ReadableStream({ pull }), { headers: { "content-type": "text/event-stream" } });
      },
    });
    running.push(() => endless.stop(true));
    const bridge = bridgeTo(`http://127.0.0.1:${endless.port}/sse`);
    expect((await open(bridge)).opening?.error).toMatchObject({ code: -32_603 });
  });
});
