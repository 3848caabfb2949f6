import { Fault } from "../errors.ts";
import type { CancelTimer, Deps, Log } from "../system/deps.ts";
import { onServer } from "../system/server-id.ts";
import { CLOSES, type Close } from "../wire/closes.ts";
import { MAX_FRAME_BYTES } from "../wire/frame.ts";
import { NATIVE_PROTOCOL } from "../wire/protocol.ts";
import type { Registered } from "../wire/server-messages.ts";
import { AcceptPace } from "./accept-pace.ts";
import type { Dialect } from "./dialect.ts";
import type { Hello } from "./greeting.ts";
import { Heartbeat } from "./heartbeat.ts";
import { createFrameMemory, createNativeDialect } from "./native.ts";
import { IdOwners } from "./owners.ts";
import type { Admission, Intake, IntakeOptions } from "./session-source.ts";
import {
  closeSocket,
  createSocket,
  hasDrained,
  MAX_MESSAGE_BYTES,
  type SocketHandlers,
  type Upgrader,
  type WorkerSocket,
} from "./sockets.ts";
import { TurnShare } from "./turn-share.ts";
import { WorkerSession } from "./worker-session.ts";

export interface EndpointOptions extends Omit<IntakeOptions, "pluginId"> {
  readonly deps: Deps;
  /** The beginning of session ids, which identifies this server. */
  readonly serverId: string;
  readonly limits: LinkLimits;
}

/** Limits that apply to the links of all plugins. */
export interface LinkLimits {
  /** How long a new socket may take to register. */
  readonly registerTimeoutMs: number;
  /** Body bytes that each direction of each exchange starts with. */
  readonly windowBytes: number;
  readonly pingIntervalMs: number;
  /** How long a slot is held for a worker that does not confirm a cancel. */
  readonly confirmTimeoutMs: number;
}

/** Sockets that are open but not registered. Past this, upgrades are refused, so that such sockets cannot fill memory. */
const MAX_UNREGISTERED = 10_000;

/** How soon a worker that was told to leave should come back: about the time of a restart. */
const DRAIN_RETRY_AFTER_MS = 2000;

/** Makes sessions of the sockets on which a plugin's workers connect to this server. */
export class WorkerEndpoint implements Intake {
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
    this.#heartbeat = new Heartbeat(options.deps.clock, options.limits.pingIntervalMs);
    this.#owners = new IdOwners(options.deps.clock);
    this.#pace = new AcceptPace(options.deps.clock);
    this.#closings = new TurnShare(options.deps.clock);
  }

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

  drain(reason: string): void {
    this.#isDraining = true;
    for (const session of this.#sessions) session.sendDrain(reason, DRAIN_RETRY_AFTER_MS);
  }

  close(close: Close): void {
    this.#isDraining = true;
    for (const session of [...this.#sessions]) session.close(close);
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
        cancelTimer = this.#options.deps.clock.after(this.#options.limits.registerTimeoutMs, () => {
          settle();
          this.#refuse(ws, CLOSES.expected_register);
        });
      },
      message: (ws, message) => {
        // Text has at most as many characters as bytes.
        if (message.length > (session ? maxSessionBytes : MAX_MESSAGE_BYTES)) {
          settle();
          const close = CLOSES.message_too_large;
          return session ? session.close(close) : void this.#refuse(ws, close);
        }
        if (session) return session.handleMessage(message);
        // A refused socket is closing: whatever it still sends is ignored.
        if (!cancelTimer) return;
        settle();
        session = this.#register(ws, message, dialect, admit);
      },
      drain: (ws) => {
        if (hasDrained(ws)) session?.handleDrain();
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
    if (this.#isDraining) return this.#refuse(ws, CLOSES.draining);
    const { deps, greeting, pool } = this.#options;
    const parsed =
      typeof message === "string"
        ? greeting.parse(message, dialect)
        : { ok: false as const, close: CLOSES.expected_register };
    if (!parsed.ok) return this.#refuse(ws, parsed.close);
    const hello = parsed.value;
    const admission = admit(hello.clientKey);
    if (!admission.ok) return this.#refuse(ws, CLOSES[admission.refusal]);
    const workerId = hello.workerId ?? deps.ids.secret();
    if (!this.#owners.claim(workerId, admission.owner)) return this.#refuse(ws, CLOSES.id_in_use);
    const session = this.#createSession(ws, workerId, hello, dialect);
    const answer = greeting.answer(dialect, this.#registered(session));
    if (answer) ws.send(JSON.stringify(answer));
    pool.onOpened(session);
    return session;
  }

  #createSession(ws: WorkerSocket, workerId: string, hello: Hello, dialect: Dialect["name"]): WorkerSession {
    const { deps, greeting, pool, serverId, limits } = this.#options;
    const id = onServer(serverId, deps.ids.secret());
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
        dialect === "native"
          ? createNativeDialect(limits.windowBytes, this.#frameMemory)
          : greeting.createLegacyDialect(),
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
      confirmTimeoutMs: limits.confirmTimeoutMs,
    });
    stopBeating = this.#heartbeat.add(session);
    this.#sessions.add(session);
    log.info("session.opened", { dialect, models: session.offer.models.length, slots: session.offer.maxConcurrency });
    return session;
  }

  #registered(session: WorkerSession): Registered {
    const { windowBytes, pingIntervalMs } = this.#options.limits;
    return {
      type: "registered",
      worker_id: session.worker.id,
      session_id: session.id,
      window: windowBytes,
      max_frame: MAX_FRAME_BYTES,
      ping_interval_ms: pingIntervalMs,
    };
  }

  #refuse(ws: WorkerSocket, close: Close): undefined {
    this.#log.warn("session.refused", { reason: close.reason });
    closeSocket(ws, close);
    return undefined;
  }
}
