import type { Clock, Log } from "../system/deps.ts";
import { CLOSES, type Close, closeWith } from "../wire/closes.ts";
import { type Control, mergeHostInfo } from "../wire/worker-messages.ts";
import type { WorkerTerms } from "../wire/worker-terms.ts";
import type { Dialect, Incoming, Socket, Wire } from "./dialect.ts";
import type { Exchange, ExchangeRequest, ExchangeSink } from "./exchange.ts";
import { ExchangeIds } from "./exchange-ids.ts";
import { HeldExchange } from "./held-exchange.ts";
import { offerAfter } from "./offer-updates.ts";
import { ServerExchange } from "./server-exchange.ts";
import { HTTP_ALONE, type Offer, type Session, type SessionHost, type Telemetry, type WorkerInfo } from "./session.ts";
import type { SlotShare } from "./slot-shares.ts";
import { TermedOffer } from "./termed-offer.ts";
import { obstacleTo, openUnsent } from "./unsent-exchange.ts";

export interface SessionOptions {
  readonly id: string;
  readonly worker: WorkerInfo;
  readonly offer: Offer;
  /** What the worker's key allows; everything unless given. */
  readonly terms?: WorkerTerms | undefined;
  /** Adds the session to those that share the slots of the same key; undefined: it shares them with none. */
  readonly shareSlots?: ((onMore: () => void) => SlotShare) | undefined;
  readonly dialect: Dialect;
  readonly socket: Socket;
  readonly host: SessionHost;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a slot is held for a worker that does not confirm a cancel. */
  readonly confirmTimeoutMs: number;
  /** New ones from 1 on unless given. */
  readonly ids?: ExchangeIds;
}

/** The session of a worker whose socket is on this server. Routes frames to exchanges and keeps what the worker offers. */
export class WorkerSession implements Session, Wire {
  readonly id: string;
  readonly connectedAt: number;
  readonly #options: SessionOptions;
  readonly #exchanges = new Map<number, ServerExchange>();
  readonly #isOpen = (id: number): boolean => this.#exchanges.has(id);
  #worker: WorkerInfo;
  readonly #offer: TermedOffer;
  #telemetry: Telemetry = { cpuPercent: undefined, ramUsedPercent: undefined };
  readonly #ids: ExchangeIds;
  #congested = false;
  #closed = false;
  /** Whether the server has told the worker to leave. */
  #isToldToLeave = false;
  #ignoredCount = 0;
  /** `Clock.elapsed` of the last sign of life of any kind. */
  lastHeardAt: number;
  lastHeartbeatAt: number;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.id = options.id;
    this.#ids = options.ids ?? new ExchangeIds();
    this.#worker = options.worker;
    this.#offer = new TermedOffer({
      // The legacy dialect cannot carry kinds, even if its agent announces some.
      offer: this.dialect === "legacy" ? { ...options.offer, exchangeKinds: HTTP_ALONE } : options.offer,
      terms: options.terms,
      shareSlots: options.shareSlots,
      onMore: () => {
        if (!this.#closed) this.#offers(this.#offer.said);
      },
    });
    this.connectedAt = options.clock.now();
    this.lastHeartbeatAt = this.connectedAt;
    this.lastHeardAt = options.clock.elapsed();
  }

  get dialect(): "native" | "legacy" {
    return this.#options.dialect.name;
  }

  get beatsEveryMs(): number | undefined {
    return this.#options.dialect.beatsEveryMs;
  }

  get worker(): WorkerInfo {
    return this.#worker;
  }

  get offer(): Offer {
    return this.#offer.current;
  }

  get telemetry(): Telemetry {
    return this.#telemetry;
  }

  get silentMs(): number {
    return this.#options.clock.elapsed() - this.lastHeardAt;
  }

  /** How many exchanges have been opened and have not settled. */
  get running(): number {
    return this.#exchanges.size;
  }

  /** Whether the worker can be told to connect again without any request noticing it. */
  get canMove(): boolean {
    return this.dialect === "native" && this.#exchanges.size === 0 && this.offer.status !== "draining";
  }

  open(request: ExchangeRequest, sink: ExchangeSink): Exchange {
    const { dialect, clock, confirmTimeoutMs } = this.#options;
    const isOpen = !this.#closed && !this.#ids.areUsedUp;
    const obstacle = obstacleTo(request, isOpen, this.offer, dialect.maxRequestBytes);
    if (obstacle) return openUnsent(request, sink, obstacle, clock);
    const id = this.#ids.give();
    const held = dialect.hold && new HeldExchange(sink, clock, dialect.hold);
    const exchange = new ServerExchange(request, held ?? sink, {
      lane: dialect.createLane(id, this),
      clock,
      sendWindow: dialect.sendWindow,
      wholeBytes: dialect.wholeBytes ?? dialect.sendWindow,
      maxRequestBytes: dialect.maxRequestBytes,
      receive: dialect.createReceiveCredit(),
      confirmTimeoutMs,
      onSettled: () => this.#forget(id),
    });
    this.#exchanges.set(id, exchange);
    held?.hold(exchange);
    exchange.resume();
    // Ids are never reused on a link, so a link without any left must end; its worker reconnects at once.
    if (this.#ids.areUsedUp) queueMicrotask(() => this.close(CLOSES.exchange_ids_used_up));
    return held ?? exchange;
  }

  hasRoom(): boolean {
    return !this.#congested;
  }

  send(data: string | Uint8Array): void {
    if (!this.#closed) this.#options.socket.send(data);
  }

  sendNow(data: Uint8Array): void {
    if (!this.#closed) this.#options.socket.sendNow(data);
  }

  /** The socket reports what became of bytes given to `send` or `sendNow`. It does not report bytes that have left. */
  handleSendResult(result: "queued" | "lost"): void {
    if (result === "queued") this.#congested = true;
    // A turn later: the caller of `send` may be in the middle of its own bookkeeping.
    else queueMicrotask(() => this.close(CLOSES.send_failed));
  }

  /** Continues sending when the socket has room again. */
  handleDrain(): void {
    this.#congested = false;
    for (const exchange of [...this.#exchanges.values()]) {
      if (this.#congested) return;
      exchange.resume();
    }
  }

  resume(id: number): void {
    this.#exchanges.get(id)?.resume();
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
        return this.#exchange(incoming.id)?.handleReset(incoming.code, incoming.message, incoming.detail);
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

  /**
   * Tells the worker to finish what runs and leave, if its dialect has a message for that. From then on it would refuse
   * requests, so it counts as draining, whatever it says.
   */
  sendDrain(reason: string, retryAfterMs: number): void {
    const message = this.#options.dialect.drainMessage(reason, retryAfterMs);
    if (message === undefined || this.#closed) return;
    this.send(message);
    if (this.#isToldToLeave) return;
    this.#isToldToLeave = true;
    this.#offers({ ...this.#offer.said, status: "draining" });
  }

  /** Takes over what the worker's key allows now. */
  setTerms(terms: WorkerTerms): void {
    if (this.#closed) return;
    this.#offer.setTerms(terms);
    this.#offers(this.#offer.said);
    this.tellTerms();
  }

  /** Tells the worker what its key allows, unless that is everything, or the same as before. */
  tellTerms(): void {
    const news = this.#offer.news(this.#options.dialect);
    if (news !== undefined) this.send(news);
  }

  /** Tells the worker that another server is taking over, if its dialect has a message for it. */
  sendHandover(reason: string, retryAfterMs: number): void {
    const message = this.#options.dialect.handoverMessage(reason, retryAfterMs);
    if (message !== undefined) this.send(message);
  }

  close({ code, reason }: Close): void {
    if (this.#closed) return;
    this.#options.socket.close(code, reason);
    this.handleClosed(reason);
  }

  /** The socket has closed, at the will of either side. */
  handleClosed(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    const running = [...this.#exchanges.values()];
    this.#options.log.info("session.closed", { reason, running: running.length, ignored: this.#ignoredCount });
    // The pool is notified first, so that jobs which it sends elsewhere do not meet this session again.
    this.#options.host.onClosed(this, reason);
    for (const exchange of running) exchange.handleLost(reason);
    this.#exchanges.clear();
    this.#offer.leave();
  }

  #exchange(id: number): ServerExchange | undefined {
    const exchange = this.#exchanges.get(id);
    if (exchange) return exchange;
    if (!this.#ids.wasGiven(id))
      this.close(closeWith("protocol_error", `frame for exchange ${id}, which was never opened`));
    // The exchange has just ended, and the frame was in transit.
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
    const offer = offerAfter(this.#offer.said, control);
    // An agent learns some facts late: its backend's version only when the backend is up.
    if (control.type === "status_update" && control.agent_config)
      this.#worker = { ...this.#worker, hostInfo: mergeHostInfo(this.#worker.hostInfo, control.agent_config) };
    this.#offers(this.#isToldToLeave ? { ...offer, status: "draining" } : offer);
    if (this.#offer.hasTerms) this.tellTerms();
  }

  #offers(said: Offer): void {
    this.#offer.say(said);
    this.#options.host.onOfferChange(this);
  }
}
