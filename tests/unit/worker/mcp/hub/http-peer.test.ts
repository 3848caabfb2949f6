import { expect, test } from "bun:test";
import type { Answer, Backend } from "../../../../../src/answering/opening.ts";
import { parseJson } from "../../../../../src/json/parse.ts";
import { httpPeers } from "../../../../../src/worker/mcp/hub/http-peer.ts";
import { eventually } from "../../../../support/eventually.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { turn } from "../../../../support/turn.ts";

interface Asked {
  readonly method: string;
  readonly wasAborted: boolean;
  readonly signal: AbortSignal;
}

const OPENED = {
  protocolVersion: "2025-06-18",
  capabilities: {},
  serverInfo: { name: "x", version: "1" },
};

/** A peer of a server with sessions. `answer` gives what it answers in place of its usual words. */
function rig(answer: (asked: Asked) => Promise<Answer> | undefined = () => undefined) {
  const clock = new FakeClock();
  const asked: Asked[] = [];
  const exits: string[] = [];
  const ids: unknown[] = [];
  const backend: Backend = {
    open: ({ method }) => ({
      kind: "ask",
      mayFallSilent: false,
      ask: async (body, signal) => {
        const message = body instanceof Uint8Array ? parseJson(new TextDecoder().decode(body)) : undefined;
        const request = message as { method?: string; id?: number } | undefined;
        const one = { method: request?.method ?? method, wasAborted: signal.aborted, signal };
        asked.push(one);
        const own = answer(one);
        if (own !== undefined) return own;
        if (method === "GET") return { status: 405, headers: [], body: null };
        if (request?.id === undefined) return { status: 202, headers: [], body: null };
        const text = JSON.stringify({ jsonrpc: "2.0", id: request.id, result: OPENED });
        const headers: [string, string][] = [
          ["content-type", "application/json"],
          ["mcp-session-id", "s1"],
        ];
        return { status: 200, headers, body: new TextEncoder().encode(text) };
      },
    }),
  };
  const peer = httpPeers(backend, clock).openPeer({
    onMessage: (message) => "id" in message && ids.push(message.id),
    onExit: (reason) => exits.push(reason),
  });
  const begin = async () => {
    const params = { protocolVersion: OPENED.protocolVersion, capabilities: {}, clientInfo: OPENED.serverInfo };
    peer.send({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    await eventually(() => ids.length === 1);
  };
  return { clock, peer, asked, exits, ids, begin };
}

test("a peer that is closed ends its session at the server", async () => {
  const { peer, asked, exits, begin } = rig();
  await begin();
  await peer.close();
  const { wasAborted } = asked.find(({ method }) => method === "DELETE") ?? {};
  expect(wasAborted).toBe(false);
  expect(exits).toEqual(["it has been closed"]);
});

test("a server that does not end a session is given up after a moment", async () => {
  const { clock, peer, asked, begin } = rig(({ method, signal }) => {
    if (method !== "DELETE") return undefined;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await begin();
  const closed = peer.close();
  await eventually(() => asked.at(-1)?.method === "DELETE");
  expect(asked.at(-1)?.signal.aborted).toBe(false);
  clock.advance(2000);
  await closed;
  expect(asked.at(-1)?.signal.aborted).toBe(true);
});

test("a notification that the server never takes holds the next request back for a moment only", async () => {
  const { clock, peer, asked, ids, begin } = rig(({ method }) =>
    method === "notifications/initialized" ? new Promise(() => {}) : undefined,
  );
  await begin();
  peer.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  await eventually(() => asked.at(-1)?.method === "notifications/initialized");
  peer.send({ jsonrpc: "2.0", id: 2, method: "ping" });
  clock.advance(2999);
  await turn();
  expect(asked.at(-1)?.method).toBe("notifications/initialized");
  clock.advance(1);
  await eventually(() => ids.includes(2));
});

test("a request that is cancelled takes up no room at a server that never answers it", async () => {
  const { peer, asked, begin } = rig(({ method, signal }) => {
    if (method !== "tools/list") return undefined;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await begin();
  for (let id = 2; id < 1002; id += 1) peer.send({ jsonrpc: "2.0", id, method: "tools/list" });
  expect(peer.isFull).toBe(true);
  await eventually(() => asked.filter(({ method }) => method === "tools/list").length === 1000);
  for (let id = 2; id < 1002; id += 1)
    peer.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
  await eventually(() => !peer.isFull);
  expect(asked.filter(({ method }) => method === "notifications/cancelled").length).toBeGreaterThan(0);
});
