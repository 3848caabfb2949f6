import { expect, test } from "bun:test";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { systemIds } from "../../../../../src/system/ids.ts";
import { silentLog } from "../../../../../src/system/log.ts";
import type { OpenPeer } from "../../../../../src/worker/mcp/bridge/peer.ts";
import { createHub } from "../../../../../src/worker/mcp/hub/hub.ts";
import { eventually } from "../../../../support/eventually.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** A server that knows only sessions. It logs the arguments of each call, and answers those of `work`. */
const openPeer: OpenPeer = ({ onMessage, onExit }) => ({
  isFull: false,
  send(message) {
    if (!("method" in message) || !("id" in message)) return true;
    const { id, method, params } = message;
    const say = (said: object): void => queueMicrotask(() => onMessage({ jsonrpc: "2.0", ...said } as JSONRPCMessage)); // a log message or a response
    const serverInfo = { name: "s", version: "1" };
    if (method === "initialize")
      say({ id, result: { protocolVersion: "2025-11-25", capabilities: { tools: {}, logging: {} }, serverInfo } });
    if (method !== "tools/call") return true;
    const data = JSON.stringify(params?.["arguments"]);
    say({ method: "notifications/message", params: { level: "info", data } });
    say({ method: "notifications/progress", params: { progressToken: params?._meta?.progressToken, progress: 1 } });
    if (params?.["name"] === "work") say({ id, result: { content: [] } });
    return true;
  },
  async close() {
    onExit("it has been closed");
  },
});

test("a server that knows only sessions logs what one caller sends to no other caller without a session", async () => {
  const deps = { clock: new FakeClock(), ids: systemIds, log: silentLog };
  const servers = [{ key: "s", openPeer, maybeStateless: false }];
  const hub = createHub({ name: "team", servers, limits: { maxSessions: 4, idleMs: 60_000 }, deps });
  const call = (id: number, name: string, secret: string, meta: object) => {
    const headers = [
      ["content-type", "application/json"],
      ["accept", "application/json, text/event-stream"],
      ["mcp-protocol-version", "2026-07-28"],
      ["mcp-method", "tools/call"],
      ["mcp-name", `s__${name}`],
    ] as const;
    const opening = hub.open({ method: "POST", path: "/", headers });
    if (opening.kind !== "ask") throw new Error(opening.kind);
    const params = { name: `s__${name}`, arguments: { secret }, _meta: { ...META, ...meta } };
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params }));
    return opening.ask(body, new AbortController().signal);
  };
  let seen = "";
  const asksForLogs = { "io.modelcontextprotocol/logLevel": "debug", progressToken: "p" };
  const first = await call(1, "wait", "of ann", asksForLogs);
  const read = (async () => {
    for await (const chunk of new Response(first.body).body ?? []) seen += Buffer.from(chunk).toString();
  })();
  await eventually(() => seen.includes("notifications/progress"), "the first call has told of its progress");
  const second = await call(2, "work", "of bob", {});
  expect(await new Response(second.body).text()).toContain('"result"');
  // The stream of the first call ends with the hub, so all that it was ever sent has been read.
  await hub.close();
  await read;
  expect(seen).not.toContain("of bob");
});
