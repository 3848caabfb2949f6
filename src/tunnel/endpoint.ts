import type { ServerWebSocket } from "bun";
import { Fault } from "../errors.ts";
import type { CancelTimer, Deps, Log } from "../system/deps.ts";
import { MAX_FRAME_BYTES } from "../wire/frame.ts";
import { NATIVE_PROTOCOL } from "../wire/protocol.ts";
import type { Registered } from "../wire/worker-messages.ts";
import { AcceptPace } from "./accept-pace.ts";
import type { Dialect, Socket } from "./dialect.ts";
import type { Greeting, Hello } from "./greeting.ts";
import { Heartbeat } from "./heartbeat.ts";
import { createFrameMemory, createNativeDialect } from "./native.ts";
import { Outbox } from "./outbox.ts";
import { IdOwners } from "./owners.ts";
import { type Session, type SessionHost, WorkerSession } from "./session.ts";
import { TurnShare } from "./turn-share.ts";

/** The answer to a client key: who registers, or why not. */
export type Admission = { readonly ok: true; readonly owner: string } | { readonly ok: false; readonly reason: string };

/** What turns a request into a socket: the listener. */
export interface Upgrader {
  /** False for a request that cannot be upgraded. */
  upgrade(request: Request, options: { readonly data: unknown; readonly headers?: Record<string, string> }): boolean;
}

/** A pool that takes new sessions in. */
export interface SessionPool extends SessionHost {
  onOpened(session: Session): void;
}

export interface EndpointOptions {
  readonly deps: Deps;
  readonly greeting: Greeting;
  readonly pool: SessionPool;
  readonly registerTimeoutMs: number;
  readonly windowBytes: number;
  readonly pingIntervalMs: number;
  readonly confirmTimeoutMs: number;
  /** The largest message of a legacy worker that has registered; the frame limit decides unless given. */
  readonly maxLegacyBytes?: number;
}

/** A message of up to twice the frame limit is read, so that one over it can be refused with a reason. */
const MAX_MESSAGE_BYTES = 2 * MAX_FRAME_BYTES;

/**
 * How Bun must hold the sockets: liveness is ours to judge, so its own pings and idle timeout are off. The send queue may
 * hold a legacy request, which travels in one message, beside what was already there. `largestBytes` is the longest
 * message of any plugin's workers: Bun has one limit for all sockets, and each endpoint keeps its own below it. What a peer
 * only announces reserves address space and no memory (Bun 1.4.5).
 */
export function websocketOptions(largestBytes: number) {
  return {
    idleTimeout: 0,
    sendPings: false,
    maxPayloadLength: Math.max(MAX_MESSAGE_BYTES, largestBytes),
    backpressureLimit: 128 * 1024 * 1024,
  } as const;
}

/** Below this the socket counts as drained: enough left to keep the line busy until the sources have refilled it. */
const DRAINED_BYTES = 64 * 1024;

/** Sockets that have connected but not registered; beyond it upgrades are refused, so that they cannot fill memory. */
const MAX_UNREGISTERED = 10_000;

/** When a worker that is told to go should come back, at the earliest: a restart takes about so long. */
const DRAIN_RETRY_AFTER_MS = 2000;

/** What Bun's handlers find in `ws.data`. */
interface SocketHandlers {
  open(ws: WorkerSocket): void;
  message(ws: WorkerSocket, message: string | Buffer): void;
  drain(ws: WorkerSocket): void;
  pong(): void;
  close(ws: WorkerSocket, code: number, reason: string): void;
}
type WorkerSocket = ServerWebSocket<SocketHandlers>;

/** Where a plugin's workers connect: sockets to sessions. The only file of the server that knows WebSockets. */
export class WorkerEndpoint {
  readonly #options: EndpointOptions;
  readonly #log: Log;
  readonly #heartbeat: Heartbeat;
  readonly #owners: IdOwners;
  readonly #pace: AcceptPace;
  readonly #closings: TurnShare;
  readonly #sessions = new Set<WorkerSession>();
  readonly #frameMemory = createFrameMemory();
  #unregistered = 0;
  #isDraining = false;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#log = options.deps.log;
    this.#heartbeat = new Heartbeat(options.deps.clock, options.pingIntervalMs);
    this.#owners = new IdOwners(options.deps.clock);
    this.#pace = new AcceptPace(options.deps.clock);
    this.#closings = new TurnShare(options.deps.clock);
  }

  /**
   * Upgrades a worker's request, when many come at once a moment later. Throws or rejects with a `Fault` for one that is no
   * upgrade; gives undefined once the socket is taken.
   */
  upgrade(
    request: Request,
    upgrader: Upgrader,
    admit: (clientKey: string | undefined) => Admission,
  ): undefined | Promise<undefined> {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      throw new Fault("upgrade_required", { headers: { upgrade: "websocket" } });
    }
    const offered =
      request.headers
        .get("sec-websocket-protocol")
        ?.split(",")
        .map((name) => name.trim()) ?? [];
    const isNative = offered.includes(NATIVE_PROTOCOL);
    if (offered.length > 0 && !isNative) {
      throw new Fault("invalid_request", {
        message: `Offer the WebSocket subprotocol ${NATIVE_PROTOCOL}, or none for the legacy dialect.`,
      });
    }
    if (this.#unregistered + this.#pace.waiting >= MAX_UNREGISTERED)
      throw new Fault("too_many_connections", { retryAfterS: 5 });
    const take = (): undefined => {
      const data = this.#createHandlers(isNative ? "native" : "legacy", admit);
      // Bun would echo the first offered protocol if none were picked.
      const headers = isNative ? { "sec-websocket-protocol": NATIVE_PROTOCOL } : undefined;
      if (!upgrader.upgrade(request, headers ? { data, headers } : { data })) throw new Fault("upgrade_required");
      return undefined;
    };
    const turn = this.#pace.turn();
    return turn === undefined ? take() : turn.then(take);
  }

  /** Takes no more workers and tells those that are here. */
  drain(reason: string): void {
    this.#isDraining = true;
    for (const session of this.#sessions) session.sendDrain(reason, DRAIN_RETRY_AFTER_MS);
  }

  /** Ends every session. */
  close(code: number, reason: string): void {
    for (const session of [...this.#sessions]) session.close(code, reason);
    this.#heartbeat.stop();
  }

  #createHandlers(dialect: Dialect["name"], admit: (clientKey: string | undefined) => Admission): SocketHandlers {
    let session: WorkerSession | undefined;
    let cancelTimer: CancelTimer | undefined;
    const maxSessionBytes = (dialect === "legacy" && this.#options.maxLegacyBytes) || MAX_MESSAGE_BYTES;
    const settle = (): void => {
      if (!cancelTimer) return;
      cancelTimer();
      cancelTimer = undefined;
      this.#unregistered -= 1;
    };
    return {
      open: (ws) => {
        this.#unregistered += 1;
        cancelTimer = this.#options.deps.clock.after(this.#options.registerTimeoutMs, () => {
          settle();
          this.#refuse(ws, 1008, "expected register");
        });
      },
      message: (ws, message) => {
        // Characters of text are at most as many as its bytes.
        if (message.length > (session ? maxSessionBytes : MAX_MESSAGE_BYTES)) {
          settle();
          return session ? session.close(1009, "message too large") : void this.#refuse(ws, 1009, "message too large");
        }
        if (session) return session.handleMessage(message);
        // A refused socket may have more under way; it is closing and says nothing to us any more.
        if (!cancelTimer) return;
        settle();
        session = this.#register(ws, message, dialect, admit);
      },
      drain: (ws) => {
        if (ws.getBufferedAmount() <= DRAINED_BYTES) session?.handleDrain();
      },
      pong: () => session?.handlePong(),
      close: (_ws, code, reason) => {
        settle();
        this.#closings.do(() => session?.handleClosed(reason === "" ? `closed with ${code}` : reason));
      },
    };
  }

  #register(
    ws: WorkerSocket,
    message: string | Buffer,
    dialect: Dialect["name"],
    admit: (clientKey: string | undefined) => Admission,
  ): WorkerSession | undefined {
    if (this.#isDraining) return this.#refuse(ws, 1013, "draining");
    const { deps, greeting, pool } = this.#options;
    const parsed =
      typeof message === "string" ? greeting.parse(message) : { ok: false as const, reason: "expected register" };
    if (!parsed.ok) return this.#refuse(ws, 1008, parsed.reason);
    const hello = parsed.value;
    const admission = admit(hello.clientKey);
    if (!admission.ok) return this.#refuse(ws, 1008, admission.reason);
    const workerId = hello.workerId ?? deps.ids.secret();
    if (!this.#owners.claim(workerId, admission.owner)) return this.#refuse(ws, 1008, "id in use");
    const session = this.#createSession(ws, workerId, hello, dialect);
    const answer = greeting.answer(dialect, this.#registered(session));
    if (answer) ws.send(JSON.stringify(answer));
    pool.onOpened(session);
    return session;
  }

  #createSession(ws: WorkerSocket, workerId: string, hello: Hello, dialect: Dialect["name"]): WorkerSession {
    const { deps, greeting, pool, windowBytes, confirmTimeoutMs } = this.#options;
    const id = deps.ids.secret();
    const log = this.#log.with({ session: id, worker: workerId });
    let stopBeating = (): void => {};
    const session: WorkerSession = new WorkerSession({
      id,
      worker: {
        id: workerId,
        name: hello.name ?? workerId.slice(0, 8),
        version: hello.version,
        hostInfo: hello.hostInfo,
      },
      offer: hello.offer,
      dialect:
        dialect === "native" ? createNativeDialect(windowBytes, this.#frameMemory) : greeting.createLegacyDialect(),
      socket: createSocket(ws, (result) => session.handleSendResult(result)),
      host: {
        onOfferChange: (changed) => pool.onOfferChange(changed),
        onClosed: (closed, reason) => {
          stopBeating();
          this.#sessions.delete(session);
          this.#owners.release(workerId);
          pool.onClosed(closed, reason);
        },
      },
      clock: deps.clock,
      log,
      confirmTimeoutMs,
    });
    stopBeating = this.#heartbeat.add(session);
    this.#sessions.add(session);
    log.info("session.opened", { dialect, models: session.offer.models.length, slots: session.offer.maxConcurrency });
    return session;
  }

  #registered(session: WorkerSession): Registered {
    return {
      type: "registered",
      worker_id: session.worker.id,
      session_id: session.id,
      window: this.#options.windowBytes,
      max_frame: MAX_FRAME_BYTES,
      ping_interval_ms: this.#options.pingIntervalMs,
    };
  }

  #refuse(ws: WorkerSocket, code: number, reason: string): undefined {
    this.#log.warn("session.refused", { reason });
    closeSocket(ws, code, reason);
    return undefined;
  }
}

function createSocket(ws: WorkerSocket, onResult: (result: "queued" | "lost") => void): Socket {
  const outbox = new Outbox({ send: (data) => ws.send(data), cork: (write) => ws.cork(write) }, onResult);
  return {
    send(data) {
      outbox.send(data);
      return "sent";
    },
    sendNow(data) {
      outbox.sendNow(data);
      return "sent";
    },
    ping: () => ws.ping(),
    close(code, reason) {
      // What was said before goodbye arrives before it.
      outbox.flush();
      closeSocket(ws, code, reason);
    },
  };
}

/** A close frame's reason takes 123 bytes (RFC 6455 §5.5); a peer that is gone gets none, for none would arrive. */
function closeSocket(ws: WorkerSocket, code: number, reason: string): void {
  if (code === NO_SIGN_OF_LIFE) ws.terminate();
  else
    ws.close(
      code,
      Buffer.from(reason)
        .subarray(0, 123)
        .toString()
        .replace(/\ufffd+$/, ""),
    );
}

/** The heartbeat's close code. */
const NO_SIGN_OF_LIFE = 4000;
