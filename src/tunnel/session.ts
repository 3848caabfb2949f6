import type { Clock, Log } from "../system/deps.ts";
import { CLOSES, type Close, closeWith } from "../wire/closes.ts";
import { MAX_EXCHANGE_ID } from "../wire/frame.ts";
import {
  batchSizeOf,
  type Control,
  type HostInfo,
  mergeHostInfo,
  type ReportedStatus,
} from "../wire/worker-messages.ts";
import type { Dialect, Incoming, Socket, Wire } from "./dialect.ts";
import { type Exchange, type ExchangeRequest, type ExchangeSink, ServerExchange } from "./exchange.ts";

/** What a worker offers right now. */
export interface Offer {
  readonly models: readonly string[];
  /** Jobs it takes at once, as it declared. */
  readonly maxConcurrency: number;
  /** Inputs per embeddings request, if it said. */
  readonly embeddingBatchSize: number | undefined;
  readonly status: "ready" | "not_ready" | "draining";
  /** Why it is not ready, in the worker's words: untrusted text. */
  readonly reason: string | undefined;
}

/** Who a worker is; all of it is the worker's own word except the ids. */
export interface WorkerInfo {
  readonly id: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly hostInfo: HostInfo;
}

/** Jobs that a worker takes at once right now. */
export function capacityOf(offer: Offer): number {
  return offer.status === "ready" ? offer.maxConcurrency : 0;
}

/**
 * A worker's live link as the pool and the plugins see it: what it serves, its room, its fetch-like call.
 * They never see its socket, so that a session may as well live on another server.
 */
export interface Session {
  readonly id: string;
  readonly worker: WorkerInfo;
  readonly dialect: "native" | "legacy";
  readonly offer: Offer;
  readonly connectedAt: number;
  readonly lastHeartbeatAt: number;
  /** `Clock.elapsed` of the last sign of life of any kind. */
  readonly lastHeardAt: number;
  readonly telemetry: Telemetry;
  /** Starts an exchange; the sink hears everything about it, never before this call has returned. */
  open(request: ExchangeRequest, sink: ExchangeSink): Exchange;
  /** Tells the worker that the server is going away. */
  sendDrain(reason: string, retryAfterMs: number): void;
  /** Ends the session; exchanges that still run are lost. */
  close(close: Close): void;
}

export interface Telemetry {
  readonly cpuPercent: number | undefined;
  readonly ramUsedPercent: number | undefined;
}

/** Who hears of a session's changes: the owner of the pool. */
export interface SessionHost {
  onOfferChange(session: Session): void;
  onClosed(session: Session, reason: string): void;
}

export interface SessionOptions {
  readonly id: string;
  readonly worker: WorkerInfo;
  readonly offer: Offer;
  readonly dialect: Dialect;
  readonly socket: Socket;
  readonly host: SessionHost;
  readonly clock: Clock;
  readonly log: Log;
  readonly confirmTimeoutMs: number;
}

/** A worker's session on this server, hello to goodbye: routes frames to exchanges and keeps what the worker offers. */
export class WorkerSession implements Session, Wire {
  readonly id: string;
  readonly connectedAt: number;
  readonly #options: SessionOptions;
  readonly #exchanges = new Map<number, ServerExchange>();
  readonly #isOpen = (id: number): boolean => this.#exchanges.has(id);
  #worker: WorkerInfo;
  #offer: Offer;
  #telemetry: Telemetry = { cpuPercent: undefined, ramUsedPercent: undefined };
  #nextId = 1;
  #congested = false;
  #closed = false;
  #ignoredCount = 0;
  /** `Clock.elapsed` of the last message of any kind. */
  lastHeardAt: number;
  lastHeartbeatAt: number;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.id = options.id;
    this.#worker = options.worker;
    this.#offer = options.offer;
    this.connectedAt = options.clock.now();
    this.lastHeartbeatAt = this.connectedAt;
    this.lastHeardAt = options.clock.elapsed();
  }

  get dialect(): "native" | "legacy" {
    return this.#options.dialect.name;
  }

  get worker(): WorkerInfo {
    return this.#worker;
  }

  get offer(): Offer {
    return this.#offer;
  }

  get telemetry(): Telemetry {
    return this.#telemetry;
  }

  open(request: ExchangeRequest, sink: ExchangeSink): Exchange {
    const { dialect, clock, confirmTimeoutMs } = this.#options;
    const id = this.#nextId;
    this.#nextId += 1;
    const exchange = new ServerExchange(request, sink, {
      lane: dialect.createLane(id, this),
      clock,
      sendWindow: dialect.sendWindow,
      maxRequestBytes: dialect.maxRequestBytes,
      receive: dialect.createReceiveCredit(),
      confirmTimeoutMs,
      onSettled: () => this.#forget(id),
    });
    if (this.#closed) {
      queueMicrotask(() => exchange.handleLost("the session had closed"));
      return exchange;
    }
    this.#exchanges.set(id, exchange);
    exchange.resume();
    // Ids are never used twice on one connection, so one that runs out of them must go; its worker comes back at once.
    if (this.#nextId > MAX_EXCHANGE_ID) queueMicrotask(() => this.close(CLOSES.exchange_ids_used_up));
    return exchange;
  }

  hasRoom(): boolean {
    return !this.#congested;
  }

  send(data: string | Uint8Array): void {
    if (this.#closed) return;
    this.handleSendResult(this.#options.socket.send(data));
  }

  sendNow(data: Uint8Array): void {
    if (this.#closed) return;
    this.handleSendResult(this.#options.socket.sendNow(data));
  }

  /** What became of bytes that the socket had taken to send. */
  handleSendResult(result: "sent" | "queued" | "lost"): void {
    if (result === "queued") this.#congested = true;
    // Not here and now: whoever sends is in the middle of its own bookkeeping.
    else if (result === "lost") queueMicrotask(() => this.close(CLOSES.send_failed));
  }

  /** The socket takes more again. */
  handleDrain(): void {
    this.#congested = false;
    for (const exchange of [...this.#exchanges.values()]) {
      if (this.#congested) return;
      exchange.resume();
    }
  }

  handlePong(): void {
    this.lastHeardAt = this.#options.clock.elapsed();
  }

  handleMessage(message: string | Uint8Array): void {
    if (this.#closed) return;
    this.lastHeardAt = this.#options.clock.elapsed();
    this.receive(this.#options.dialect.decode(message, this.#isOpen));
  }

  receive(incoming: Incoming): void {
    if (this.#closed) return;
    switch (incoming.type) {
      case "response_data":
        return this.#exchange(incoming.id)?.handleData(incoming.body, incoming.end);
      case "response":
        return this.#exchange(incoming.id)?.handleHead(incoming.head, incoming.body, incoming.end);
      case "credit":
        return this.#exchange(incoming.id)?.handleCredit(incoming.bytes);
      case "reset":
        return this.#exchange(incoming.id)?.handleReset(incoming.code, incoming.message);
      case "control":
        return this.#handleControl(incoming.control);
      case "reply":
        return this.send(incoming.text);
      case "ignored":
        this.#ignoredCount += 1;
        return;
      case "bad":
        return this.close(closeWith("protocol_error", incoming.reason));
      default:
        return incoming satisfies never;
    }
  }

  ping(): void {
    this.#options.socket.ping();
  }

  sendDrain(reason: string, retryAfterMs: number): void {
    const message = this.#options.dialect.drainMessage(reason, retryAfterMs);
    if (message !== undefined) this.send(message);
  }

  close({ code, reason }: Close): void {
    if (this.#closed) return;
    this.#options.socket.close(code, reason);
    this.handleClosed(reason);
  }

  /** The socket is gone, whoever closed it. */
  handleClosed(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    const running = [...this.#exchanges.values()];
    this.#options.log.info("session.closed", { reason, running: running.length, ignored: this.#ignoredCount });
    // The pool first: jobs that are sent elsewhere must not meet this session again.
    this.#options.host.onClosed(this, reason);
    for (const exchange of running) exchange.handleLost(reason);
    this.#exchanges.clear();
  }

  #exchange(id: number): ServerExchange | undefined {
    const exchange = this.#exchanges.get(id);
    if (exchange) return exchange;
    if (id >= this.#nextId || id === 0)
      this.close(closeWith("protocol_error", `frame for exchange ${id}, which was never opened`));
    // Else it has just ended, and the frame was under way.
    else this.#ignoredCount += 1;
    return undefined;
  }

  #forget(id: number): void {
    this.#exchanges.delete(id);
    this.#options.dialect.forget(id);
  }

  #handleControl(control: Control): void {
    if (control.type === "heartbeat") {
      this.lastHeartbeatAt = this.#options.clock.now();
      this.#telemetry = {
        cpuPercent: control.host_cpu_percent ?? undefined,
        ramUsedPercent: control.host_ram_used_percent ?? undefined,
      };
      return;
    }
    const was = this.#offer;
    if (control.type === "models_update") {
      this.#offer = { ...was, models: control.models };
    } else {
      this.#offer = {
        models: control.models ?? was.models,
        maxConcurrency: control.max_concurrency ?? was.maxConcurrency,
        embeddingBatchSize: batchSizeOf(control) ?? was.embeddingBatchSize,
        status: control.status ? toOfferStatus(control.status) : was.status,
        reason: control.reason ?? undefined,
      };
      // An agent learns some of it late: its backend's version only when the backend is up.
      if (control.agent_config)
        this.#worker = { ...this.#worker, hostInfo: mergeHostInfo(this.#worker.hostInfo, control.agent_config) };
    }
    this.#options.host.onOfferChange(this);
  }
}

/** A worker says idle or working; the server counts its jobs itself, so both are just ready. */
function toOfferStatus(reported: ReportedStatus): Offer["status"] {
  return reported === "draining" || reported === "not_ready" ? reported : "ready";
}
