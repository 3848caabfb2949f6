import type { Answer, Backend } from "../../src/answering/opening.ts";
import { parseJson } from "../../src/json/parse.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import type { HeaderPairs } from "../../src/wire/heads.ts";
import type { Bridge } from "../../src/worker/mcp/bridge/bridge.ts";
import type { PeerSource } from "../../src/worker/mcp/bridge/peer.ts";
import { httpPeers } from "../../src/worker/mcp/hub/http-peer.ts";
import { createHub } from "../../src/worker/mcp/hub/hub.ts";
import type { HubServer } from "../../src/worker/mcp/hub/member.ts";
import type { Message } from "./bridge-client.ts";
import { FakeClock } from "./fake-clock.ts";

/** A request that an MCP server behind a hub got. */
export interface Asked {
  readonly method: string;
  readonly headers: HeaderPairs;
  readonly text: string;
  readonly message: Message;
  readonly signal: AbortSignal;
}

/** What an MCP server answers in place of its usual words; undefined: those. */
export type Script = (asked: Asked) => Answer | Promise<Answer> | undefined;

export const RESULT = { content: [{ type: "text", text: "done" }] };

/** An MCP server on Streamable HTTP with sessions, without a network. */
export function scriptedMember(script: Script): { readonly backend: Backend; readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const backend: Backend = {
    open: ({ method, headers }) => ({
      kind: "ask",
      mayFallSilent: false,
      ask: async (body, signal) => {
        const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
        const message = (parseJson(text) ?? {}) as Message; // Sent by the hub.
        const one = { method, headers, text, message, signal };
        asked.push(one);
        return (await script(one)) ?? usual(one);
      },
    }),
  };
  return { backend, asked };
}

function usual({ method, message }: Asked): Answer {
  if (method === "DELETE") return { status: 200, headers: [], body: null };
  if (method === "GET") return { status: 405, headers: [], body: null };
  if (message.id === undefined) return { status: 202, headers: [], body: null };
  if (message.method !== "initialize") return json({ jsonrpc: "2.0", id: message.id, result: RESULT });
  const serverInfo = { name: "member", version: "1" };
  const result = { protocolVersion: "2025-06-18", capabilities: { tools: {}, resources: {}, logging: {} }, serverInfo };
  const { status, headers, body } = json({ jsonrpc: "2.0", id: message.id, result });
  return { status, headers: [...headers, ["mcp-session-id", "member-session"]], body };
}

export function json(value: object | string, status = 200): Answer {
  const body = new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
  const headers = [
    ["content-type", "application/json"],
    ["content-length", String(body.length)],
  ] as const;
  return { status, headers, body };
}

/** An event stream whose pieces are written by the test. */
export function eventStream(): { readonly answer: Answer; write(text: string): void; end(error?: Error): void } {
  let own: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      own = controller;
    },
  });
  return {
    answer: { status: 200, headers: [["content-type", "text/event-stream"]], body },
    write: (text) => own?.enqueue(new TextEncoder().encode(text)),
    end: (error) => (error ? own?.error(error) : own?.close()),
  };
}

/** A whole event stream. */
export function events(...pieces: readonly string[]): Answer {
  const { answer, write, end } = eventStream();
  for (const piece of pieces) write(piece);
  end();
  return answer;
}

export function event(message: object): string {
  return `event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
}

/** A source of peers that take messages only. */
function asMessages({ openPeer, maybeStateless }: PeerSource): PeerSource {
  return {
    maybeStateless,
    openPeer(events) {
      const peer = openPeer(events);
      return {
        send: (message) => peer.send(message),
        get isFull() {
          return peer.isFull;
        },
        close: () => peer.close(),
      };
    },
  };
}

/** A hub in front of such servers. `isDirect` says whether calls may reach them in their own bytes. */
export function hubOfScripted(
  scripts: Readonly<Record<string, Script>>,
  isDirect: boolean,
  rules?: HubServer["rules"],
): { readonly hub: Bridge; readonly clock: FakeClock; readonly askedOf: (key: string) => readonly Asked[] } {
  const clock = new FakeClock();
  const members = new Map(Object.entries(scripts).map(([key, script]) => [key, scriptedMember(script)]));
  const servers = [...members].map(([key, { backend }]): HubServer => {
    const peers = httpPeers(backend, clock);
    return { key, rules, ...(isDirect ? peers : asMessages(peers)) };
  });
  const deps = { clock, ids: systemIds, log: silentLog };
  const hub = createHub({ name: "team", servers, limits: { maxSessions: 8, idleMs: 60_000 }, deps });
  return { hub, clock, askedOf: (key) => members.get(key)?.asked ?? [] };
}
