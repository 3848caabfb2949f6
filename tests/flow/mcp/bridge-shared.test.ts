import { afterEach, describe, expect, test } from "bun:test";
import type { Bridge } from "../../../src/worker/mcp/bridge/bridge.ts";
import {
  ask,
  askStateless,
  callTool,
  drop,
  type Message,
  messagesOf,
  open,
  processesOf,
  reading,
  SESSIONS,
  say,
  smallServer,
  stdioBridge,
} from "../../support/bridge-client.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const mark = `moorage-shared-${process.pid}`;
const bridges: Bridge[] = [];

afterEach(async () => {
  await Promise.all(bridges.splice(0).map((bridge) => bridge.close()));
  await eventually(() => processesOf(mark) === 0, "no process is left");
});

function start(command = smallServer(mark), clock?: FakeClock, sharing: "parallel" | "serial" = "parallel"): Bridge {
  const bridge = stdioBridge(command, clock, { sharing });
  bridges.push(bridge);
  return bridge;
}

async function lastOf(response: Response | Promise<Response>): Promise<Message | undefined> {
  return (await messagesOf(await response)).at(-1);
}

async function openAs(bridge: Bridge, protocolVersion: string): Promise<Message | undefined> {
  const params = { protocolVersion, capabilities: { sampling: {} }, clientInfo: { name: "c", version: "1" } };
  return lastOf(await ask(bridge, "POST", { jsonrpc: "2.0", id: 5, method: "initialize", params }));
}

async function listen(bridge: Bridge, id: string): Promise<ReturnType<typeof reading>> {
  const headers = { "mcp-session-id": id, "mcp-protocol-version": SESSIONS };
  return reading(await ask(bridge, "GET", undefined, { headers }));
}

describe("a shared stdio process", () => {
  test("serves the sessions of all clients and is opened once, in nobody's name", async () => {
    const bridge = start();
    const clients = await Promise.all([open(bridge), open(bridge), open(bridge)]);
    expect(new Set(clients.map(({ id }) => id)).size).toBe(3);
    for (const { opening } of clients) expect(opening?.result).toMatchObject({ serverInfo: { name: "t" } });
    const later = await open(bridge);
    const told = await Promise.all([...clients, later].map(({ id }) => lastOf(callTool(bridge, id, "opening"))));
    expect(new Set(told.map((each) => each?.result?.["pid"])).size).toBe(1);
    expect(told[0]?.result).toMatchObject({
      openings: 1,
      opening: { capabilities: {}, clientInfo: { name: "moorage" } },
    });
  });

  test("gives each client the revision that it asks for, if that is not newer than the process's own", async () => {
    const bridge = start();
    expect(await openAs(bridge, "2025-06-18")).toMatchObject({ id: 5, result: { protocolVersion: "2025-06-18" } });
    expect(await openAs(bridge, "2025-11-25")).toMatchObject({ result: { protocolVersion: "2025-11-25" } });
    expect(await openAs(bridge, "2099-01-01")).toMatchObject({ result: { protocolVersion: "2025-11-25" } });
  });

  test("answers clients with equal ids and tokens each under its own", async () => {
    const bridge = start();
    const clients = await Promise.all([open(bridge), open(bridge)]);
    const params = { name: "names", _meta: { progressToken: "t" } };
    const asked = { id: "same", method: "tools/call", params };
    const answers = await Promise.all(clients.map(({ id }) => lastOf(say(bridge, id, asked))));
    for (const answer of answers) expect(answer?.id).toBe("same");
    expect(new Set(answers.map((answer) => answer?.result?.["id"])).size).toBe(2);
  });

  test("reports progress to the call's own client, under its token", async () => {
    const bridge = start();
    const [first, second] = [await open(bridge), await open(bridge)];
    const other = await listen(bridge, second.id);
    const params = { name: "progress", _meta: { progressToken: "mine" } };
    const told = await messagesOf(await say(bridge, first.id, { id: 1, method: "tools/call", params }));
    expect(told[0]).toMatchObject({ method: "notifications/progress", params: { progressToken: "mine", progress: 1 } });
    expect(told.map(({ method }) => method)).toContain("notifications/message");
    await lastOf(callTool(bridge, second.id, "announce"));
    const heard = await other.until("list_changed");
    expect(heard).not.toContain("progress");
    await other.leave();
  });

  test("logs to nobody while several clients have calls open", async () => {
    const bridge = start();
    const [first, second] = [await open(bridge), await open(bridge)];
    const held = callTool(bridge, second.id, "hold");
    expect(await messagesOf(await callTool(bridge, first.id, "log"))).toHaveLength(1);
    await lastOf(callTool(bridge, first.id, "release"));
    expect(await messagesOf(await held)).toHaveLength(1);
    const alone = await messagesOf(await callTool(bridge, first.id, "log"));
    expect(alone.map(({ method }) => method)).toEqual(["notifications/message", undefined]);
  });

  test("tells all clients of changed lists, and of a changed resource those that subscribed to it", async () => {
    const bridge = start();
    const [first, second] = [await open(bridge), await open(bridge)];
    const streams = [await listen(bridge, first.id), await listen(bridge, second.id)];
    const params = { uri: "file:///a" };
    await lastOf(say(bridge, first.id, { id: 1, method: "resources/subscribe", params }));
    await lastOf(callTool(bridge, second.id, "changed"));
    await lastOf(callTool(bridge, second.id, "announce"));
    const [subscriber, other] = await Promise.all(streams.map((stream) => stream.until("list_changed")));
    expect(subscriber).toContain("resources/updated");
    expect(other).not.toContain("resources/updated");
    for (const stream of streams) await stream.leave();
  });

  test("is unsubscribed when the last subscriber unsubscribes or leaves", async () => {
    const bridge = start();
    const [first, second, third] = [await open(bridge), await open(bridge), await open(bridge)];
    const params = { uri: "file:///a" };
    const say1 = (id: string, method: string) => lastOf(say(bridge, id, { id: 1, method, params }));
    const told = async () => (await lastOf(callTool(bridge, third.id, "opening")))?.result?.["uris"];
    const subscribed = "resources/subscribe file:///a";
    for (const { id } of [first, second]) await say1(id, "resources/subscribe");
    expect(await say1(first.id, "resources/unsubscribe")).toMatchObject({ result: {} });
    expect(await told()).toEqual([subscribed, subscribed]);
    await drop(bridge, second.id);
    expect(await told()).toEqual([subscribed, subscribed, "resources/unsubscribe file:///a"]);
  });

  test("keeps at most 1,000 subscriptions of a client, and no long URI", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    const subscribe = (uri: string) =>
      lastOf(say(bridge, id, { id: uri.slice(0, 20), method: "resources/subscribe", params: { uri } }));
    expect(await subscribe(`file:///${"x".repeat(5000)}`)).toMatchObject({ error: { code: -32000 } });
    for (let at = 0; at < 1000; at += 1) await subscribe(`file:///${at}`);
    expect(await subscribe("file:///0")).toMatchObject({ result: {} });
    expect((await subscribe("file:///1000"))?.error?.message).toContain("may subscribe to 1000 resources");
  });

  test("cannot ask a client and is told so", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    const answer = await lastOf(callTool(bridge, id, "ask"));
    const refusal = { code: -32_601, message: expect.stringContaining("shared by several clients") };
    expect(answer?.result).toMatchObject({ heard: true, refusal });
  });

  test("is told which calls nobody waits for any more", async () => {
    const bridge = start();
    const [first, second] = [await open(bridge), await open(bridge)];
    const cancelled = callTool(bridge, first.id, "hang", "a");
    void callTool(bridge, second.id, "hang", "b").catch(() => {});
    await lastOf(callTool(bridge, first.id, "x"));
    await say(bridge, first.id, { method: "notifications/cancelled", params: { requestId: "a" } });
    await drop(bridge, second.id);
    const told = await lastOf(callTool(bridge, first.id, "cancelled"));
    expect(told?.result?.["cancelled"]).toEqual([1, 2]);
    await drop(bridge, first.id);
    await cancelled;
  });

  test("takes all sessions with it when it crashes, and the next client starts another one", async () => {
    const bridge = start();
    const [first, second] = [await open(bridge), await open(bridge)];
    const hanging = callTool(bridge, second.id, "hang", "h");
    expect((await callTool(bridge, first.id, "crash")).status).toBe(502);
    expect(await lastOf(hanging)).toMatchObject({ id: "h", error: { code: -32_603 } });
    expect((await callTool(bridge, second.id, "x")).status).toBe(404);
    expect(bridge.sessions).toBe(0);
    expect((await open(bridge)).opening?.result).toBeDefined();
  });

  test("answers a stateless request so that the client opens a session, and is not started for it", async () => {
    const bridge = start(smallServer(mark, "stateless"));
    expect((await askStateless(bridge, { method: "server/discover" })).status).toBe(400);
    expect(processesOf(mark)).toBe(0);
  });

  test("outlives its last client by the idle time", async () => {
    const clock = new FakeClock();
    const bridge = start(smallServer(mark), clock);
    const pidOf = async (id: string) => (await lastOf(callTool(bridge, id, "opening")))?.result?.["pid"];
    const first = await open(bridge);
    const pid = await pidOf(first.id);
    await drop(bridge, first.id);
    clock.advance(4 * 60_000);
    const second = await open(bridge);
    expect(await pidOf(second.id)).toBe(pid);
    await drop(bridge, second.id);
    clock.advance(5 * 60_000);
    if (process.platform === "linux") await eventually(() => processesOf(mark) === 0, "it has ended");
    const third = await open(bridge);
    expect(await pidOf(third.id)).not.toBe(pid);
  });

  test("ends at once if it does not answer and its clients have left", async () => {
    const bridge = start(smallServer(mark, "silent"));
    const leaving = new AbortController();
    const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const message = { jsonrpc: "2.0", id: 0, method: "initialize", params };
    const opening = ask(bridge, "POST", message, { signal: leaving.signal }).catch(() => "left");
    await eventually(() => bridge.sessions === 1, "it has begun");
    leaving.abort();
    await opening;
    if (process.platform === "linux") await eventually(() => processesOf(mark) === 0, "it has ended");
  });

  test("that refuses to open refuses every client that waits, and is started again for the next", async () => {
    const bridge = start(smallServer(mark, "refusing"));
    for (const { opening } of await Promise.all([open(bridge), open(bridge)])) {
      expect(opening).toMatchObject({ error: { code: -32_602 } });
    }
    expect(bridge.sessions).toBe(0);
    expect((await open(bridge)).opening).toMatchObject({ error: { code: -32_602 } });
  });
});

describe("a shared stdio process with serial calls", () => {
  test("gets one tool call at a time, in order, and other requests at any time", async () => {
    const bridge = start(smallServer(mark), undefined, "serial");
    const [first, second] = [await open(bridge), await open(bridge)];
    const done: string[] = [];
    const call = (id: string, name: string, as: string) =>
      lastOf(callTool(bridge, id, name, as)).then((answer) => {
        done.push(as);
        return answer;
      });
    const calls = [call(first.id, "slow", "a"), call(second.id, "x", "b"), call(first.id, "opening", "c")];
    expect(await lastOf(say(bridge, second.id, { id: 9, method: "tools/list" }))).toMatchObject({ id: 9 });
    expect(done).toEqual([]);
    await Promise.all(calls);
    expect(done).toEqual(["a", "b", "c"]);
  });

  test("gets the next call when the client of the running one has cancelled it or left", async () => {
    const bridge = start(smallServer(mark), undefined, "serial");
    const [first, second, third] = [await open(bridge), await open(bridge), await open(bridge)];
    void callTool(bridge, first.id, "hang", "a").catch(() => {});
    void callTool(bridge, second.id, "hang", "b").catch(() => {});
    void callTool(bridge, first.id, "never begins", "c").catch(() => {});
    const waiting = lastOf(callTool(bridge, third.id, "cancelled", "d"));
    await lastOf(say(bridge, third.id, { id: 9, method: "tools/list" }));
    await say(bridge, first.id, { method: "notifications/cancelled", params: { requestId: "c" } });
    await say(bridge, first.id, { method: "notifications/cancelled", params: { requestId: "a" } });
    await drop(bridge, second.id);
    // The call that had not begun is unknown to the process.
    expect((await waiting)?.result?.["cancelled"]).toEqual([1, 2]);
  });
});
