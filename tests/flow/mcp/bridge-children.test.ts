import { afterEach, describe, expect, test } from "bun:test";
import type { Bridge } from "../../../src/worker/mcp/bridge/bridge.ts";
import {
  ask,
  type BridgeSettings,
  callTool,
  drop,
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

const mark = `moorage-children-${process.pid}`;
const bridges: Bridge[] = [];

afterEach(async () => {
  await Promise.all(bridges.splice(0).map((bridge) => bridge.close()));
  await eventually(() => processesOf(mark) === 0, "no process is left");
});

function start(command = smallServer(mark), clock?: FakeClock, settings?: BridgeSettings): Bridge {
  const bridge = stdioBridge(command, clock, settings);
  bridges.push(bridge);
  return bridge;
}

async function lastOf(response: Response, status = 200): Promise<unknown> {
  expect(response.status).toBe(status);
  return (await messagesOf(response)).at(-1);
}

describe("a call whose process", () => {
  test("crashes gets an error and loses its session, while another session continues", async () => {
    const bridge = start();
    const [first, second] = [await open(bridge), await open(bridge)];
    const hanging = callTool(bridge, first.id, "hang", "h");
    const crash = await callTool(bridge, first.id, "crash", "c");
    const expected = { error: { code: -32_603, message: "The MCP server did not answer: it ended with code 3." } };
    expect(await lastOf(crash, 502)).toMatchObject({ id: "c", ...expected });
    expect(await lastOf(await hanging, 502)).toMatchObject({ id: "h", ...expected });
    expect((await callTool(bridge, first.id, "x")).status).toBe(404);
    expect(await lastOf(await callTool(bridge, second.id, "x"))).toMatchObject({ result: { name: "x" } });
  });

  test("answers and then exits gets that answer", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    expect(await lastOf(await callTool(bridge, id, "last-words"))).toMatchObject({ result: { last: "words" } });
  });

  test("does not answer ends when its client disconnects or cancels, and the session continues", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    const hanging = await callTool(bridge, id, "hang", "h");
    await reading(hanging).leave();
    const params = { requestId: "h" };
    expect((await say(bridge, id, { method: "notifications/cancelled", params })).status).toBe(202);
    expect(await lastOf(await callTool(bridge, id, "cancelled"))).toMatchObject({ result: { cancelled: ["h"] } });
  });

  test("sends a response above 32 MiB, or nests it too deeply, fails alone, and the session continues", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    const hanging = callTool(bridge, id, "hold", "h");
    for (const [name, told] of [
      ["huge", "larger than 32 MiB"],
      ["huge-id-last", "larger than 32 MiB"],
      ["deep", "levels deep"],
    ] as const) {
      const failed = { id: 2, error: { code: -32_603, message: expect.stringContaining(told) } };
      expect(await lastOf(await callTool(bridge, id, name, 2))).toMatchObject(failed);
    }
    await lastOf(await callTool(bridge, id, "release", "r"));
    expect(await lastOf(await hanging)).toMatchObject({ id: "h", result: { held: true } });
  });

  test("writes a line without an end gets an error, and the process is killed", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    expect(await lastOf(await callTool(bridge, id, "endless"), 502)).toMatchObject({ error: { code: -32_603 } });
    if (process.platform === "linux") await eventually(() => processesOf(mark) === 0, "it is killed");
  });

  test("reads nothing more is bounded, and the process is killed after it has read nothing for half a minute", async () => {
    const clock = new FakeClock();
    const bridge = start(smallServer(mark), clock);
    const { id } = await open(bridge);
    expect(await lastOf(await callTool(bridge, id, "deaf"))).toMatchObject({ result: { deaf: true } });
    const text = "x".repeat(8 * 1024 * 1024);
    const large = (at: number) => say(bridge, id, { id: at, method: "tools/call", params: { name: "x", text } });
    const answers: Response[] = [];
    for (const at of [1, 2, 3, 4, 5, 6]) void large(at).then((answer) => answers.push(answer));
    await eventually(() => {
      clock.advance(1000);
      return answers.length === 6;
    }, "every answer has begun");
    clock.advance(31_000);
    for (const answer of answers.filter(({ status }) => status !== 404)) {
      expect((await messagesOf(answer)).at(-1)).toMatchObject({ error: { code: -32_603 } });
    }
    await eventually(() => bridge.sessions === 0, "the session is over");
  });
});

/** Opens the stream on which a client listens. `leave` is what a client does that vanishes. */
async function listen(bridge: Bridge, id: string): Promise<{ leave(): Promise<void> }> {
  const headers = { "mcp-session-id": id, "mcp-protocol-version": SESSIONS };
  const abort = new AbortController();
  const stream = await ask(bridge, "GET", undefined, { headers, signal: abort.signal });
  expect(stream.status).toBe(200);
  return {
    async leave() {
      await stream.body?.cancel();
      abort.abort();
    },
  };
}

describe("a relay with its most sessions", () => {
  test("refuses a further client with 503 and says which setting to raise, until a session has ended", async () => {
    const bridge = start(smallServer(mark), undefined, { maxSessions: 2 });
    const [first, second] = [await open(bridge), await open(bridge)];
    for (const { id } of [first, second]) await lastOf(await callTool(bridge, id, "x"));
    const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const refused = await ask(bridge, "POST", { jsonrpc: "2.0", id: 7, method: "initialize", params });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    const [message] = await messagesOf(refused);
    expect(message).toMatchObject({ id: 7, error: { code: -32_000 } });
    expect(message?.error?.message).toContain("MCP_MAX_SESSIONS");
    await drop(bridge, first.id);
    expect((await open(bridge)).opening?.result).toBeDefined();
  });

  test("takes the place of a client that has left, but never of one that is there", async () => {
    const bridge = start(smallServer(mark), undefined, { maxSessions: 2 });
    const [left, there] = [await open(bridge), await open(bridge)];
    const { leave } = await listen(bridge, left.id);
    await lastOf(await callTool(bridge, there.id, "x"));
    await leave();
    const newcomer = await open(bridge);
    expect(newcomer.opening?.result).toBeDefined();
    expect((await callTool(bridge, left.id, "x")).status).toBe(404);
    await lastOf(await callTool(bridge, there.id, "x"));
    expect(bridge.sessions).toBe(2);
  });
});

describe("the answer to a call", () => {
  test("is JSON if only the result comes, in the session that the answer names", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    const answer = await callTool(bridge, id, "x");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("mcp-session-id")).toBe(id);
    expect(await answer.json()).toMatchObject({ id: 1, result: { name: "x" } });
  });

  test("is JSON also above 1 MiB, which clients refuse as one event", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    const answer = await callTool(bridge, id, "large");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect((await answer.text()).length).toBeGreaterThan(2_000_000);
  });

  test("is an event stream once another message precedes the result", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    const params = { name: "progress", _meta: { progressToken: "t" } };
    const answer = await say(bridge, id, { id: 1, method: "tools/call", params });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    expect(await messagesOf(answer)).toHaveLength(3);
  });

  test("begins as an event stream when the process is silent for three seconds", async () => {
    const clock = new FakeClock();
    const bridge = start(smallServer(mark), clock);
    const { id } = await open(bridge);
    const held = callTool(bridge, id, "hold", "h");
    await lastOf(await callTool(bridge, id, "x", "other"));
    clock.advance(3000);
    const answer = await held;
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    await lastOf(await callTool(bridge, id, "release", "r"));
    expect(await lastOf(answer)).toMatchObject({ id: "h", result: { held: true } });
  });
});

describe("a process that cannot be started", () => {
  test.each([
    ["ends at once", "exit 3", "code 3"],
    ["is no program", "/no/such/program", "code 127"],
  ])("because it %s fails the opening request and leaves no session", async (_why, command, told) => {
    const bridge = start(command);
    const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const response = await ask(bridge, "POST", { jsonrpc: "2.0", id: 7, method: "initialize", params });
    expect(response.status).toBe(502);
    const id = response.headers.get("mcp-session-id") ?? "none";
    const [opening] = await messagesOf(response);
    expect(opening).toMatchObject({ id: 7, error: { code: -32_603 } });
    expect(opening?.error?.message).toContain(told);
    expect((await callTool(bridge, id, "x")).status).toBe(404);
    expect(bridge.sessions).toBe(0);
  });

  test("because the system is out of processes fails in the same way", async () => {
    // Longer than any command line may be.
    const bridge = start(`: ${"x".repeat(4 * 1024 * 1024)}`);
    const { opening } = await open(bridge);
    expect(opening?.error?.message).toContain("could not be started");
    expect(bridge.sessions).toBe(0);
  });

  test("is not even tried for a request that opens no session", async () => {
    const bridge = start();
    expect((await ask(bridge, "POST", { jsonrpc: "2.0", id: 1, method: "tools/list" })).status).toBe(400);
    expect((await ask(bridge, "POST", "no json")).status).toBe(400);
    expect((await ask(bridge, "GET", undefined)).status).toBe(400);
    const noEvents = { headers: { accept: "application/json" } };
    const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const refused = await ask(bridge, "POST", { jsonrpc: "2.0", id: 1, method: "initialize", params }, noEvents);
    expect(refused.status).toBe(406);
    expect([bridge.sessions, processesOf(mark)]).toEqual([0, 0]);
  });
});

describe("a stdio session ends", () => {
  test("at once if its client leaves before it is open", async () => {
    const bridge = start(smallServer(mark, "silent"));
    const leaving = new AbortController();
    const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const opening = ask(
      bridge,
      "POST",
      { jsonrpc: "2.0", id: 0, method: "initialize", params },
      { signal: leaving.signal },
    ).catch(() => "left");
    await eventually(() => bridge.sessions === 1, "it has begun");
    leaving.abort();
    await opening;
    expect(bridge.sessions).toBe(0);
    if (process.platform === "linux") await eventually(() => processesOf(mark) === 0, "its process has ended");
  });

  test("at once if the server refuses to open it", async () => {
    const bridge = start(smallServer(mark, "refusing"));
    const { id, opening } = await open(bridge);
    expect(opening?.error).toMatchObject({ code: -32_602 });
    expect([id, bridge.sessions]).toEqual(["none", 0]);
  });

  test("when it is unused for its idle time, but not while its client listens", async () => {
    const clock = new FakeClock();
    const bridge = start(smallServer(mark), clock, { idleMs: 50_000 });
    const { id } = await open(bridge);
    const { leave } = await listen(bridge, id);
    clock.advance(60 * 60_000);
    expect(bridge.sessions).toBe(1);
    await leave();
    await lastOf(await callTool(bridge, id, "x"));
    clock.advance(49_000);
    expect(bridge.sessions).toBe(1);
    clock.advance(16_000);
    await eventually(() => bridge.sessions === 0, "it is over");
    if (process.platform === "linux") await eventually(() => processesOf(mark) === 0, "its process has ended");
  });

  test("sooner when its client has closed its stream, or has not used the session, but not during a call", async () => {
    const clock = new FakeClock();
    const bridge = start(smallServer(mark), clock);
    const [listener, caller] = [await open(bridge), await open(bridge)];
    const { leave } = await listen(bridge, listener.id);
    // The client that only opened its session.
    await open(bridge);
    const hanging = reading(await callTool(bridge, caller.id, "ask"));
    await hanging.leave();
    await leave();
    expect(bridge.sessions).toBe(3);
    clock.advance(76_000);
    expect(bridge.sessions).toBe(1);
    await lastOf(await callTool(bridge, caller.id, "x", 2));
  });

  test("even if its process ignores the end of its input and SIGTERM, since it is killed", async () => {
    const clock = new FakeClock();
    const bridge = start(smallServer(mark), clock);
    const { id } = await open(bridge);
    await lastOf(await callTool(bridge, id, "stubborn"));
    await drop(bridge, id);
    await eventually(() => bridge.sessions === 0, "the session is over");
    clock.advance(1999);
    if (process.platform === "linux") expect(processesOf(mark)).toBeGreaterThan(0);
    clock.advance(1);
    // Its shell and all else of it go by themselves; it stays.
    await eventually(() => processesOf(mark) <= 1, "all but itself has ended");
    clock.advance(1999);
    if (process.platform === "linux") expect(processesOf(mark)).toBe(1);
    clock.advance(1);
    await eventually(() => processesOf(mark) === 0, "it is killed, with what it had started");
  });

  test("with an error for its open calls", async () => {
    const bridge = start();
    const { id } = await open(bridge);
    const hanging = await callTool(bridge, id, "hang");
    expect((await drop(bridge, id)).status).toBe(200);
    expect(await lastOf(hanging)).toMatchObject({ error: { code: -32_603 } });
  });
});

describe("a session begins", () => {
  test.each(["*/*", "application/*, text/*", "application/json, text/event-stream;q=0.5"])(
    "for a client that accepts %s",
    async (accept) => {
      const bridge = start();
      expect((await initialize(bridge, { accept })).status).toBe(200);
    },
  );

  test("for a client that still names a session which is gone, while its other requests get 404", async () => {
    const bridge = start();
    const response = await initialize(bridge, { "mcp-session-id": "gone" });
    expect(response.status).toBe(200);
    const id = response.headers.get("mcp-session-id") ?? expect.unreachable();
    expect(id).not.toBe("gone");
    expect((await callTool(bridge, id, "x")).status).toBe(200);
    expect((await callTool(bridge, "gone", "x")).status).toBe(404);
  });

  function initialize(bridge: Bridge, headers: Readonly<Record<string, string>>): Promise<Response> {
    const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "c", version: "1" } };
    return ask(bridge, "POST", { jsonrpc: "2.0", id: 0, method: "initialize", params }, { headers });
  }
});

test("a client whose stream broke during a call resumes it with the last event id that it saw", async () => {
  const bridge = start();
  const { id } = await open(bridge);
  const broken = reading(await callTool(bridge, id, "ask", "a"));
  const event = /^id: (\S+)$/m.exec(await broken.until("sampling/createMessage"))?.[1] ?? "";
  await broken.leave();
  expect((await say(bridge, id, { id: "q1", result: {} })).status).toBe(202);
  const headers = { "mcp-session-id": id, "mcp-protocol-version": SESSIONS, "last-event-id": event };
  const rest = reading(await ask(bridge, "GET", undefined, { headers }));
  expect(await rest.until('"heard":true')).toContain('"id":"a"');
  await rest.leave();
});
