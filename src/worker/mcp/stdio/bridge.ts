import type { Deps } from "../../../deps.ts";
import type { RequestHead } from "../../../tunnel/frame.ts";
import { isMcpRequestHeader } from "../../../tunnel/mcp-headers.ts";
import type { Backend } from "../../opening.ts";
import { StdioChild } from "./child.ts";
import { StdioSession } from "./session.ts";

export interface StdioBridgeOptions {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly deps: Deps;
}

/** A session that nobody has used for so long is over: clients leave without a word. */
const IDLE_MS = 30 * 60_000;
const SWEEP_MS = 60_000;
/** Sessions at once, each with a process of its own. */
const MAX_SESSIONS = 1000;

/** An MCP server that speaks stdio, behind HTTP: one process for each session, ended with it. */
export interface StdioBridge extends Backend {
  readonly sessions: number;
  /** Ends every child. */
  close(): Promise<void>;
}

export function createStdioBridge({ command, env, deps }: StdioBridgeOptions): StdioBridge {
  const { clock, ids, log } = deps;
  const sessions = new Set<StdioSession>();
  const stopSweep = clock.every(SWEEP_MS, () => {
    for (const session of sessions) {
      if (session.isBusy) session.lastUsedAt = clock.elapsed();
      else if (clock.elapsed() - session.lastUsedAt > IDLE_MS) void session.end();
    }
  });

  const create = (): StdioSession => {
    const session: StdioSession = new StdioSession({
      createId: () => ids.secret(),
      createChild: (onMessage, onExit) =>
        new StdioChild({
          command,
          env,
          clock,
          log,
          onMessage,
          onExit: (reason) => {
            log.info("child.ended", { reason });
            onExit(reason);
          },
        }),
      onEnded: () => sessions.delete(session),
    });
    session.lastUsedAt = clock.elapsed();
    sessions.add(session);
    return session;
  };

  const handle = async (request: Request): Promise<Response> => {
    const id = request.headers.get("mcp-session-id");
    if (id !== null) {
      const session = [...sessions].find((each) => each.id === id);
      // The status that makes a client begin anew.
      if (!session) return rpcError(404, -32_001, "There is no such session.");
      session.lastUsedAt = clock.elapsed();
      return session.handle(request);
    }
    if (request.method !== "POST") return rpcError(400, -32_000, "The request names no session.");
    if (sessions.size >= MAX_SESSIONS) return rpcError(503, -32_000, "Too many sessions are open.");
    const session = create();
    const response = await session.handle(request);
    // Anything but a good opening has made no session, and needs no process.
    if (session.id === undefined) void session.end();
    return response;
  };

  return {
    get sessions() {
      return sessions.size;
    },
    open: (head) => ({
      kind: "ask",
      ask: (body, signal) => handle(toRequest(head, body, signal)),
      mayFallSilent: true,
    }),
    async close() {
      stopSweep();
      await Promise.all([...sessions].map((session) => session.end()));
    },
  };
}

function toRequest(
  head: RequestHead,
  body: Uint8Array | ReadableStream<Uint8Array> | undefined,
  signal: AbortSignal,
): Request {
  const headers = new Headers();
  for (const [name, value] of head.headers) {
    const lower = name.toLowerCase();
    if (isMcpRequestHeader(lower) && lower !== "authorization") headers.append(lower, value);
  }
  return new Request("http://stdio.invalid/mcp", {
    method: head.method,
    headers,
    // A view on any kind of buffer is a body; the type asks for one on plain memory, which a message's is.
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> }),
    signal,
  });
}

function rpcError(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}
