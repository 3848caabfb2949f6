import { isInitializeRequest } from "@modelcontextprotocol/server";
import type { Deps } from "../../../system/deps.ts";
import type { OpenPeer } from "./peer.ts";
import { ReplayRoom } from "./recent-events.ts";
import { errorResponse, RPC } from "./rpc-error.ts";
import { Session } from "./session.ts";

export interface SessionsOptions {
  readonly openPeer: OpenPeer;
  readonly deps: Pick<Deps, "clock" | "ids">;
}

/** How long a session may be unused before it ends: clients leave without saying so. */
export const IDLE_MS = 30 * 60_000;
const SWEEP_MS = 60_000;
/** The most sessions at once; each has a process or a connection of its own. */
const MAX_SESSIONS = 1000;

/** All sessions of one MCP server. The only owner of each: it opens, finds and ends them. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #replayRoom = new ReplayRoom();
  /** The peers that are still ending. */
  readonly #ending = new Set<Promise<void>>();
  readonly #stopSweep: () => void;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#stopSweep = options.deps.clock.every(SWEEP_MS, () => this.#sweep());
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Answers a request of a revision with sessions. `message` is its body, if it has one. */
  async handle(request: Request, message: unknown): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    const session = id === null ? undefined : this.#sessions.get(id);
    if (session) {
      session.lastUsedAt = this.#options.deps.clock.elapsed();
      return session.handle(request, message);
    }
    const isOpening = isInitializeRequest(message);
    // This status makes a client start a new session. Some clients keep the id of a lost session in that very attempt, and
    // would never recover if it were refused, too.
    if (id !== null && !isOpening) return errorResponse(404, RPC.noSession, "There is no such session.");
    if (!isOpening)
      return errorResponse(400, RPC.server, "The request names no session. A session begins with 'initialize'.");
    if (this.#sessions.size >= MAX_SESSIONS) return errorResponse(503, RPC.server, "Too many sessions are open.");
    const opened = this.#create();
    const response = await opened.handle(request, message);
    if (!opened.isOpen) this.#end(opened, "it was not opened");
    return response;
  }

  /** Ends all sessions; resolves when the last peer has ended. */
  async close(): Promise<void> {
    this.#stopSweep();
    for (const session of this.#sessions.values()) this.#end(session, "the worker stops");
    await Promise.all(this.#ending);
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
        this.#end(session, "it has ended");
      },
    });
    session.lastUsedAt = clock.elapsed();
    this.#sessions.set(id, session);
    return session;
  }

  #end(session: Session, reason: string): void {
    const ending = session.end(reason).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  #sweep(): void {
    const now = this.#options.deps.clock.elapsed();
    for (const session of this.#sessions.values()) {
      if (session.isBusy) session.lastUsedAt = now;
      else if (now - session.lastUsedAt >= IDLE_MS) this.#end(session, "the session was idle");
    }
  }
}
