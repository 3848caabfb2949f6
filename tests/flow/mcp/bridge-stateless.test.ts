import { afterEach, describe, expect, test } from "bun:test";
import type { Bridge } from "../../../src/worker/mcp/bridge/bridge.ts";
import {
  ask,
  askStateless,
  callTool,
  messagesOf,
  open,
  processesOf,
  reading,
  smallServer,
  stdioBridge,
} from "../../support/bridge-client.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const mark = `moorage-stateless-${process.pid}`;
const bridges: Bridge[] = [];

afterEach(async () => {
  await Promise.all(bridges.splice(0).map((bridge) => bridge.close()));
  await eventually(() => processesOf(mark) === 0, "no process is left");
});

function start(command = smallServer(mark, "stateless"), clock?: FakeClock): Bridge {
  const bridge = stdioBridge(command, clock);
  bridges.push(bridge);
  return bridge;
}

const call = (name: string, params: object = {}) => ({ method: "tools/call", params: { name, ...params } });

async function pidOf(bridge: Bridge): Promise<unknown> {
  const [message] = await messagesOf(await askStateless(bridge, { method: "tools/list" }));
  return message?.result?.["pid"];
}

describe("stateless MCP requests", () => {
  test("share one process among all clients, while sessions have their own", async () => {
    const bridge = start();
    const pids = await Promise.all([pidOf(bridge), pidOf(bridge), pidOf(bridge)]);
    expect(new Set(pids).size).toBe(1);
    const { id } = await open(bridge);
    const [, own] = [pids, (await messagesOf(await callTool(bridge, id, "x"))).at(-1)];
    expect(own?.result?.["pid"]).not.toBe(pids[0]);
    expect(bridge.sessions).toBe(1);
  });

  test("with equal ids and tokens at one time each get their own answer, under their own id and token", async () => {
    const bridge = start();
    const asked = call("names", { _meta: { progressToken: "t" } });
    const answers = await Promise.all(
      [1, 2, 3].map(async () => (await messagesOf(await askStateless(bridge, { id: "same", ...asked })))[0]),
    );
    for (const answer of answers) {
      expect(answer?.id).toBe("same");
      // The process saw one number for both.
      expect(answer?.result?.["id"]).toBe(answer?.result?.["token"] as number);
    }
    expect(new Set(answers.map((answer) => answer?.result?.["id"])).size).toBe(3);
  });

  test("are answered with JSON, or with events if progress comes before the result", async () => {
    const bridge = start();
    const plain = await askStateless(bridge, call("x"));
    expect(plain.headers.get("content-type")).toContain("application/json");
    const events = await askStateless(bridge, { id: 7, ...call("progress", { _meta: { progressToken: "mine" } }) });
    expect(events.headers.get("content-type")).toBe("text/event-stream");
    const [progress, result] = await messagesOf(events);
    expect(progress?.params).toEqual({ progressToken: "mine", progress: 1 });
    expect(result).toMatchObject({ id: 7, result: { done: true } });
  });

  test("are answered with events when the process is silent for ten seconds, unless the client accepts only JSON", async () => {
    const clock = new FakeClock();
    const bridge = start(smallServer(mark, "stateless"), clock);
    const held = askStateless(bridge, { id: 7, ...call("hold") });
    const onlyJson = askStateless(bridge, { id: 8, ...call("hold") }, { headers: { accept: "application/json" } });
    await pidOf(bridge);
    clock.advance(10_000);
    const events = await held;
    expect(events.headers.get("content-type")).toBe("text/event-stream");
    await messagesOf(await askStateless(bridge, call("release")));
    expect(await messagesOf(events)).toEqual([expect.objectContaining({ id: 7, result: { held: true } })]);
    const json = await onlyJson;
    expect(json.headers.get("content-type")).toBe("application/json");
    expect(await json.json()).toMatchObject({ id: 8, result: { held: true } });
  });

  test("get no messages before the result if the client accepts only JSON, and cannot subscribe", async () => {
    const bridge = start();
    const headers = { accept: "application/json" };
    const asked = call("progress", { _meta: { progressToken: "t" } });
    expect(await messagesOf(await askStateless(bridge, asked, { headers }))).toHaveLength(1);
    expect((await askStateless(bridge, { method: "subscriptions/listen" }, { headers })).status).toBe(406);
  });

  test("get log messages only on request, and never those of another client", async () => {
    const bridge = start();
    const wanting = call("progress", { _meta: { "io.modelcontextprotocol/logLevel": "info" } });
    const said = await messagesOf(await askStateless(bridge, wanting));
    expect(said.map(({ method }) => method)).toEqual(["notifications/message", undefined]);
    const hanging = new AbortController();
    const other = askStateless(bridge, call("hang", { _meta: { "io.modelcontextprotocol/logLevel": "info" } }), {
      signal: hanging.signal,
    }).catch(() => "left");
    await pidOf(bridge);
    expect(await messagesOf(await askStateless(bridge, wanting))).toHaveLength(1);
    hanging.abort();
    expect(await other).toBe("left");
  });

  test("subscribe under their own id, and each subscriber is notified under its own", async () => {
    const bridge = start();
    const listen = { id: "sub", method: "subscriptions/listen", params: { notifications: { toolsListChanged: true } } };
    const streams = [await askStateless(bridge, listen), await askStateless(bridge, listen)].map(reading);
    await askStateless(bridge, call("announce"));
    for (const stream of streams) {
      const text = await stream.until("list_changed");
      expect(text.match(/"io.modelcontextprotocol\/subscriptionId":"sub"/g)).toHaveLength(2);
      expect(text).toContain("notifications/subscriptions/acknowledged");
      await stream.leave();
    }
  });

  test("are cancelled at the process when their client disconnects, before or during the answer", async () => {
    const bridge = start();
    const leaving = new AbortController();
    const hanging = askStateless(bridge, call("hang"), { signal: leaving.signal }).catch(() => "left");
    await pidOf(bridge);
    leaving.abort();
    expect(await hanging).toBe("left");
    await reading(await askStateless(bridge, { method: "subscriptions/listen" })).leave();
    const [answer] = await messagesOf(await askStateless(bridge, call("cancelled")));
    // The first was the hanging one, the third the one that listened.
    expect(answer?.result?.["cancelled"]).toEqual([1, 3]);
  });

  test("are refused with 404 for unknown methods, and with 400 for contradicting headers or versions", async () => {
    const bridge = start();
    expect((await askStateless(bridge, { method: "no/such/method" })).status).toBe(404);
    const wrong: readonly [Record<string, string>, number][] = [
      [{ "mcp-name": "y" }, -32_020],
      [{ "mcp-method": "tools/list" }, -32_020],
      [{ "mcp-protocol-version": "2099-01-01" }, -32_020],
    ];
    for (const [headers, code] of wrong) {
      const response = await askStateless(bridge, { id: 5, ...call("x") }, { headers });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ id: 5, error: { code } });
    }
    const later = await askStateless(
      bridge,
      { method: "tools/list", params: { _meta: { "io.modelcontextprotocol/protocolVersion": "2099-01-01" } } },
      { headers: { "mcp-protocol-version": "2099-01-01" } },
    );
    expect(later.status).toBe(400);
    expect(await later.json()).toMatchObject({ error: { code: -32_022, data: { supported: ["2026-07-28"] } } });
  });

  test("for methods that only sessions have get 404 and never reach the shared process", async () => {
    const bridge = start();
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } };
    for (const method of ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]) {
      const response = await askStateless(bridge, { id: 9, method, params });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ id: 9, error: { code: -32_601 } });
    }
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "notifications/initialized" };
    const notification = { jsonrpc: "2.0", method: "notifications/initialized" };
    expect((await ask(bridge, "POST", notification, { headers })).status).toBe(202);
    expect(await pidOf(bridge)).toBeNumber();
  });

  test("have no method but POST", async () => {
    const bridge = start();
    const headers = { "mcp-protocol-version": "2026-07-28" };
    for (const method of ["GET", "DELETE"]) {
      const response = await ask(bridge, method, undefined, { headers });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("POST");
    }
  });

  test("that are notifications get 202", async () => {
    const bridge = start();
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "notifications/x" };
    const response = await ask(bridge, "POST", { jsonrpc: "2.0", method: "notifications/x" }, { headers });
    expect(response.status).toBe(202);
    expect(await response.text()).toBe("");
  });
});

describe("the shared process", () => {
  test("gives open requests an error when it crashes, and the next request starts a new one", async () => {
    const bridge = start();
    const before = await pidOf(bridge);
    const stream = reading(await askStateless(bridge, { id: "s", method: "subscriptions/listen" }));
    const crash = await askStateless(bridge, { id: "c", ...call("crash") });
    expect(crash.status).toBe(502);
    expect(await crash.json()).toMatchObject({ id: "c", error: { code: -32_603 } });
    expect(await stream.until('"error"')).toContain('"id":"s"');
    const after = await pidOf(bridge);
    expect(after).toBeNumber();
    expect(after).not.toBe(before);
  });

  test("ends after half an hour without requests, but not while somebody listens", async () => {
    const clock = new FakeClock();
    const bridge = start(smallServer(mark, "stateless"), clock);
    const before = await pidOf(bridge);
    const stream = reading(await askStateless(bridge, { method: "subscriptions/listen" }));
    clock.advance(60 * 60_000);
    expect(await pidOf(bridge)).toBe(before);
    await stream.leave();
    clock.advance(31 * 60_000);
    if (process.platform === "linux") await eventually(() => processesOf(mark) === 0, "it has ended");
    expect(await pidOf(bridge)).not.toBe(before);
  });
});

test("a client that sends more than the process reads is refused without harm to other clients' calls", async () => {
  const bridge = start();
  const hanging = await askStateless(bridge, { method: "subscriptions/listen" });
  await messagesOf(await askStateless(bridge, call("deaf")));
  const text = "x".repeat(9 * 1024 * 1024);
  const statuses: number[] = [];
  const leave = new AbortController();
  for (let at = 0; at < 5; at += 1) {
    void askStateless(bridge, call("x", { text }), { signal: leave.signal }).then(
      ({ status }) => statuses.push(status),
      () => {}, // Left, below.
    );
  }
  await eventually(() => statuses.includes(503), "the newcomer is refused");
  expect(statuses).toEqual([503]);
  // Nobody has been told that the process is lost.
  const stream = reading(hanging);
  await stream.until("acknowledged");
  leave.abort();
  await stream.leave();
});

test("a response above 32 MiB, or nested too deeply, fails its own call and no other one", async () => {
  const bridge = start();
  const held = askStateless(bridge, { id: "h", ...call("hold") });
  for (const name of ["huge", "deep"]) {
    const [message] = await messagesOf(await askStateless(bridge, { id: "mine", ...call(name) }));
    expect(message).toMatchObject({ id: "mine", error: { code: -32_603 } });
  }
  await messagesOf(await askStateless(bridge, call("release")));
  expect((await messagesOf(await held))[0]).toMatchObject({ id: "h", result: { held: true } });
});

test("a request that is nested too deeply is refused", async () => {
  const nested = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"a":${"[".repeat(2000)}${"]".repeat(2000)}}}`;
  expect((await ask(start(), "POST", nested)).status).toBe(400);
});

describe("an MCP server that supports only sessions", () => {
  test("refuses a stateless request with a 400 that makes clients open a session", async () => {
    const bridge = start(smallServer(mark));
    const response = await askStateless(bridge, { method: "server/discover" });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32_000 } });
    const { opening } = await open(bridge);
    expect(opening?.result).toMatchObject({ protocolVersion: "2025-11-25" });
  });

  test.each([
    ["a command that the shell does not find", "/no/such/program", "code 127"],
    ["a command that is too long", `: ${"x".repeat(4 * 1024 * 1024)}`, "could not be started"],
  ])("that cannot be started is answered with 502 and the reason: %s", async (_which, command, told) => {
    const response = await askStateless(start(command), { id: 4, method: "tools/list" });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ id: 4, error: { message: expect.stringContaining(told) } });
  });

  test("may exit when it is probed, so the probe has its own process and is not repeated for a minute", async () => {
    const clock = new FakeClock();
    const started = `/tmp/${mark}.started`;
    const bridge = start(`echo >> ${started}; exit 1`, clock);
    const count = async (): Promise<number> => (await Bun.file(started).text()).length;
    for (let at = 0; at < 3; at += 1) expect((await askStateless(bridge, { method: "tools/list" })).status).toBe(400);
    expect(await count()).toBe(1);
    clock.advance(61_000);
    expect((await askStateless(bridge, { method: "tools/list" })).status).toBe(400);
    expect(await count()).toBe(2);
    await Bun.file(started).delete();
  });
});
