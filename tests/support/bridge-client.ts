import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer } from "../../src/answering/opening.ts";
import { systemClock } from "../../src/system/clock.ts";
import type { Clock } from "../../src/system/deps.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import type { Bridge } from "../../src/worker/mcp/bridge/bridge.ts";
import type { SessionLimits } from "../../src/worker/mcp/bridge/sessions.ts";
import { createStdioBridge } from "../../src/worker/mcp/bridge/stdio-bridge.ts";
import type { Sharing } from "../../src/worker/mcp/mcp-server.ts";

export const SESSIONS = "2025-11-25";
export const STATELESS = "2026-07-28";

export interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Returns the command that starts the small MCP server. Its processes can be found by `mark`. */
export function smallServer(mark: string, ...more: readonly string[]): string {
  return [process.execPath, join(import.meta.dir, "stdio-mcp-server.ts"), mark, ...more].join(" ");
}

/** Limits that few tests reach. */
export const LIMITS: SessionLimits = { maxSessions: 1000, idleMs: 5 * 60_000 };

export interface BridgeSettings extends Partial<SessionLimits> {
  readonly sharing?: Sharing;
}

export function stdioBridge(
  command: string,
  clock: Clock = systemClock,
  { sharing = "none", ...limits }: BridgeSettings = {},
): Bridge {
  const env = { PATH: process.env["PATH"] ?? "" };
  return createStdioBridge({
    command,
    env,
    sharing,
    limits: { ...LIMITS, ...limits },
    deps: { clock, ids: systemIds, log: silentLog },
  });
}

/** Counts the processes with `mark` in their command lines; always 0 except on Linux. */
export function processesOf(mark: string): number {
  if (process.platform !== "linux") return 0;
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(mark)).length;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // The process has ended meanwhile.
  }
}

/** Sends a request to a bridge, as a relay would. */
export async function ask(
  bridge: Bridge,
  method: string,
  message: unknown,
  { headers = {}, signal = new AbortController().signal }: Ask = {},
): Promise<Response> {
  const opening = bridge.open({
    method,
    path: "/",
    headers: Object.entries({
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...headers,
    }),
  });
  if (opening.kind !== "ask") throw new Error("the bridge did not take the request");
  const body = typeof message === "string" ? message : JSON.stringify(message);
  const answer = await opening.ask(message === undefined ? undefined : new TextEncoder().encode(body), signal);
  return toResponse(answer);
}

/** Returns the answer as a client's `fetch` would. */
function toResponse({ status, headers, body }: Answer): Response {
  const init = { status, headers: headers.map(([name, value]): [string, string] => [name, value]) };
  // The type asks for a view of plain memory, and the bridge makes only these.
  return new Response(body instanceof Uint8Array ? (body as Uint8Array<ArrayBuffer>) : body, init);
}

/** Sends a message in `session`, as clients of servers with sessions do. */
export function say(bridge: Bridge, session: string, message: Message, options: Ask = {}): Promise<Response> {
  const headers = { "mcp-session-id": session, "mcp-protocol-version": SESSIONS, ...options.headers };
  return ask(bridge, "POST", { jsonrpc: "2.0", ...message }, { ...options, headers });
}

export function callTool(bridge: Bridge, session: string, name: string, id: string | number = 1): Promise<Response> {
  return say(bridge, session, { id, method: "tools/call", params: { name } });
}

/** Opens a session. Resolves to its id, or `none` if there is no session, and to the answer's last message. */
export async function open(bridge: Bridge): Promise<{ readonly id: string; readonly opening: Message | undefined }> {
  const params = { protocolVersion: SESSIONS, capabilities: {}, clientInfo: { name: "c", version: "1" } };
  const response = await ask(bridge, "POST", { jsonrpc: "2.0", id: 0, method: "initialize", params });
  return { id: response.headers.get("mcp-session-id") ?? "none", opening: (await messagesOf(response)).at(-1) };
}

export function drop(bridge: Bridge, session: string): Promise<Response> {
  return ask(bridge, "DELETE", undefined, { headers: { "mcp-session-id": session, "mcp-protocol-version": SESSIONS } });
}

/** Sends a complete stateless request. `headers` replace its own headers of the same names. */
export function askStateless(bridge: Bridge, { id = 1, method = "", params = {} }: Message, options: Ask = {}) {
  const own = params["_meta"];
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
    ...(typeof own === "object" ? own : {}),
  };
  const name = params["name"];
  const headers = {
    "mcp-protocol-version": STATELESS,
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": name } : {}),
    ...options.headers,
  };
  return ask(bridge, "POST", { jsonrpc: "2.0", id, method, params: { ...params, _meta } }, { ...options, headers });
}

/** Returns the messages of a whole answer, which may be events or JSON. */
export async function messagesOf(response: Response): Promise<readonly Message[]> {
  const text = await response.text();
  const lines = text.split("\n").filter((line) => line.startsWith("data: ") && line.length > 6);
  return lines.length === 0 ? [JSON.parse(text)] : lines.map((line) => JSON.parse(line.slice(6)));
}

/** Reads an answer piece by piece: `until` reads up to a text, and `leave` gives up the rest. */
export function reading(response: Response): { until(what: string): Promise<string>; leave(): Promise<void> } {
  const reader = response.body?.getReader();
  if (!reader) throw new Error("the answer has no body");
  let text = "";
  return {
    async until(what) {
      while (!text.includes(what)) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`the stream ended before ${what}: ${text}`);
        text += new TextDecoder().decode(value);
      }
      return text;
    },
    leave: () => reader.cancel(),
  };
}
