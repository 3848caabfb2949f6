import { isInitializeRequest, isJSONRPCRequest, type RequestId } from "@modelcontextprotocol/server";
import type { Answer } from "../../../answering/opening.ts";
import type { Deps } from "../../../system/deps.ts";
import type { RequestHead } from "../../../wire/heads.ts";
import { sessionIn } from "./direct/direct-head.ts";
import { isOfSession, readPlainCall } from "./direct/plain-call.ts";
import type { OpenPeer } from "./peer.ts";
import { ReplayRoom } from "./recent-events.ts";
import { errorResponse, RPC } from "./rpc-error.ts";
import { Session } from "./session.ts";

export interface SessionLimits {
  /** The most sessions at once. Each has a process or a connection of its own. */
  readonly maxSessions: number;
  /** How long a session, or a process without one, may be unused before it ends. */
  readonly idleMs: number;
}

export interface SessionsOptions {
  readonly openPeer: OpenPeer;
  readonly limits: SessionLimits;
  readonly deps: Pick<Deps, "clock" | "ids" | "log">;
}

/**
 * How long a session may be unused once its client has probably left. Clients whose stream broke are back within seconds.
 */
const LEFT_MS = 60_000;
const SWEEP_MS = 15_000;
/** When a client that was refused should try again: a session of a client that has left ends within this time or two. */
const RETRY_AFTER_S = 30;

const NO_SESSION = "The request names no session. A session begins with 'initialize'.";
/** The GET may be that of a client of the transport from 2024, which begins with one. */
const NO_STREAM = `${NO_SESSION} A client that is set to the transport SSE must use Streamable HTTP ('http') here.`;

/** All sessions of one MCP server. The only owner of each: it opens, finds and ends them. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #replayRoom = new ReplayRoom();
  /** The sessions whose peers are still ending. */
  readonly #ending = new Map<Session, Promise<void>>();
  readonly #stopSweep: () => void;
  /** Whether the operator has been told that sessions are refused, since there was room last. */
  #isFullLogged = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#stopSweep = options.deps.clock.every(SWEEP_MS, () => this.#sweep());
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Answers a call in its own bytes. Undefined, or a promise of that, for one that has to be handled like any other. */
  forward(head: RequestHead, body: Uint8Array, signal: AbortSignal): Promise<Answer | undefined> | undefined {
    const id = sessionIn(head);
    const session = id === undefined ? undefined : this.#sessions.get(id);
    const call = session?.takesBytes ? readPlainCall(body) : undefined;
    return call && isOfSession(call) ? session?.forward(call, signal) : undefined;
  }

  /** Answers a request of a revision with sessions. `message` is its body, if it has one. */
  async handle(request: Request, message: unknown): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    const session = id === null ? undefined : this.#sessions.get(id);
    if (session) return session.handle(request, message);
    const isOpening = isInitializeRequest(message) && isJSONRPCRequest(message);
    // This status makes a client start a new session. Some clients keep the id of a lost session in that very attempt, and
    // would never recover if it were refused, too.
    if (id !== null && !isOpening) return errorResponse(404, RPC.noSession, "There is no such session.");
    if (!isOpening) return errorResponse(400, RPC.server, request.method === "GET" ? NO_STREAM : NO_SESSION);
    if (!this.#hasRoom()) return this.#refuse(message.id);
    const opened = this.#create();
    const response = await opened.handle(request, message);
    if (!opened.isOpen) this.#end(opened, "it was not opened");
    return response;
  }

  /** Ends all sessions; resolves when the last peer has ended. */
  async close(): Promise<void> {
    this.#stopSweep();
    for (const session of this.#sessions.values()) this.#end(session, "the worker stops");
    await Promise.all(this.#ending.values());
  }

  /** Whether one more session may open. If there are too many, one whose client has left makes room. */
  #hasRoom(): boolean {
    const { maxSessions } = this.#options.limits;
    // Processes that are slow to end count as well, so that opening and ending sessions fast cannot pile them up.
    if (this.#ending.size >= maxSessions) return false;
    if (this.#sessions.size < maxSessions) return true;
    // The map keeps the order in which sessions were opened.
    const left = [...this.#sessions.values()].filter(({ isLeft }) => isLeft).sort((a, b) => b.idleMs - a.idleMs)[0];
    if (!left) return false;
    this.#end(left, "its client had left, and another one needed the room");
    return true;
  }

  #refuse(requestId: RequestId): Response {
    const { limits, deps } = this.#options;
    const hint = "raise MCP_MAX_SESSIONS of this relay's worker, lower its MCP_SESSION_IDLE, or set MCP_SHARED";
    if (!this.#isFullLogged) deps.log.warn("sessions.full", { max: limits.maxSessions, hint });
    this.#isFullLogged = true;
    const text = `The relay has its most MCP sessions, ${limits.maxSessions}. Try again later, or ${hint}.`;
    const response = errorResponse(503, RPC.server, text, requestId);
    response.headers.set("retry-after", String(RETRY_AFTER_S));
    return response;
  }

  #create(): Session {
    const { clock, ids } = this.#options.deps;
    const id = ids.secret();
    const session: Session = new Session({
      id,
      openPeer: this.#options.openPeer,
      replayRoom: this.#replayRoom,
      clock,
      onEnded: () => {
        this.#sessions.delete(id);
        this.#isFullLogged = false;
        this.#end(session, "it has ended");
      },
    });
    this.#sessions.set(id, session);
    return session;
  }

  #end(session: Session, reason: string): void {
    if (this.#ending.has(session)) return;
    const ending = session.end(reason).finally(() => this.#ending.delete(session));
    this.#ending.set(session, ending);
  }

  #sweep(): void {
    const { idleMs } = this.#options.limits;
    for (const session of this.#sessions.values()) {
      if (session.idleMs >= idleMs) this.#end(session, "the session was idle");
      else if (session.isLeft && session.idleMs >= LEFT_MS) this.#end(session, "its client has left");
    }
  }
}
