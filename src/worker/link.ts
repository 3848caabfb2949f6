import { ANSWERED_KINDS, Exchanges, type ExchangesOptions } from "../answering/exchanges.ts";
import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import { CLOSES, type Close, closeWith } from "../wire/closes.ts";
import { decodeFrame } from "../wire/frame.ts";
import { NATIVE_PROTOCOL } from "../wire/protocol.ts";
import type { RelayHelloMessage } from "../wire/relay-hello.ts";
import { parseServerMessage, type Registered, type Terms } from "../wire/server-messages.ts";
import type { ControlMessage, PaddingMessage, RegisterMessage } from "../wire/worker-messages.ts";
import { toFailure } from "./backend.ts";
import { type DialError, explainDialError } from "./dial-error.ts";
import type { HostLoad } from "./host.ts";
import { shownProxy } from "./outgoing-proxy.ts";
import type { LinkEnd } from "./retry.ts";
import { SendQueue } from "./send-queue.ts";

/** The first message on a link: of a worker that serves models, or of an MCP relay. */
export type FirstMessage = RegisterMessage | RelayHelloMessage;

export interface LinkOptions {
  readonly url: string;
  /** The proxy to dial through; false for none. */
  readonly proxy: string | false;
  /**
   * Makes the first message. Called when the socket is open, so that the message is true at that moment. The link
   * adds the kinds of exchange that it answers.
   */
  readonly register: () => FirstMessage;
  readonly jobs: Pick<
    ExchangesOptions,
    "backend" | "maxConcurrency" | "runningElsewhere" | "requestTimeoutMs" | "onUnreachable"
  >;
  readonly load: () => HostLoad;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** How long dialling may take, and after that the server's answer to the registration. */
  readonly dialTimeoutMs: number;
  readonly onRegistered: (registered: Registered) => void;
  /** Called when the server tells what the worker's key allows. */
  readonly onTerms?: (terms: Terms) => void;
  /**
   * Called when the server is being replaced while the link goes on: it serves as before, or finishes its jobs. Another link
   * should be dialled after the pause. May be called again when the server begins to drain.
   */
  readonly onLeaving: (retryAfterMs: number) => void;
  /** Called once, however the link ends, and never before the constructor has returned. */
  readonly onClosed: (end: LinkEnd) => void;
}

/**
 * Missed ping intervals after which the server counts as gone; the server judges workers by the same rule
 * (docs/protocol.md).
 */
const MISSED = 3;
const HEARTBEAT_MS = { least: 5000, most: 10_000 } as const;
/** How long the last bytes may take to leave before the socket is cut. */
const FLUSH_MS = 2000;

function toProxyOption(proxy: string | false): { readonly proxy?: string } {
  return proxy === false ? {} : { proxy };
}

/** One WebSocket to the server, dial to close: registration, liveness, and the exchanges that travel on it. */
export class WorkerLink {
  readonly #options: LinkOptions;
  readonly #socket: WebSocket;
  readonly #queue: SendQueue;
  readonly #timers = new Set<CancelTimer>();
  #exchanges: Exchanges | undefined;
  #cancelDeadline: CancelTimer;
  #registeredAt: number | undefined;
  #retryAfterMs: number | undefined;
  #lastHeardAt = 0;
  #lastError: DialError | undefined;
  #isDraining = false;
  #isClosing = false;
  #ended = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    // Bun takes an options object that the DOM's type does not know.
    const init = {
      protocols: [NATIVE_PROTOCOL],
      perMessageDeflate: false,
      ...toProxyOption(options.proxy),
    } as unknown as string[];
    const socket = new WebSocket(options.url, init);
    this.#socket = socket;
    this.#queue = new SendQueue(socket, options.clock, () => this.#exchanges?.resume());
    this.#cancelDeadline = this.#expect("the server did not answer");
    socket.onopen = () => this.#handleOpen();
    socket.onmessage = ({ data }: MessageEvent<string | Buffer>) => this.#handleMessage(data);
    socket.onerror = (event) => {
      if ("message" in event) this.#lastError = explainDialError(String(event.message), options.proxy);
    };
    socket.onclose = ({ code, reason }) =>
      this.#end({ code, reason: reason || this.#lastError?.reason || "the connection broke" });
    const heard = (): void => {
      this.#lastHeardAt = options.clock.elapsed();
    };
    socket.addEventListener("ping", heard);
    socket.addEventListener("pong", heard);
  }

  get running(): number {
    return this.#exchanges?.running ?? 0;
  }

  /** Whether the server has answered the registration and the link is still open. */
  get isRegistered(): boolean {
    return this.#registeredAt !== undefined && !this.#ended;
  }

  /** Sends a control message; drops it while the link is not registered. */
  sendControl(message: ControlMessage | PaddingMessage): void {
    if (this.isRegistered) this.#queue.send(JSON.stringify(message));
  }

  /** Takes no more jobs, and closes as `drained` when the running ones have ended. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    if (!this.#exchanges) return this.close(CLOSES.drained);
    this.#exchanges.drain();
    if (this.#exchanges.running === 0) this.close(CLOSES.drained);
  }

  /** Gives up the running jobs and closes. */
  breakOff(message: string): void {
    this.#exchanges?.breakOff(message);
    this.close(closeWith("goodbye", message));
  }

  /** Closes once all that was sent has left, or has had its time. */
  close(close: Close): void {
    if (this.#ended || this.#isClosing) return;
    this.#isClosing = true;
    if (this.#socket.readyState !== WebSocket.OPEN) return this.#terminate(close);
    // The peer may be gone and never answer the close frame.
    this.#after(FLUSH_MS, () => this.#terminate(close));
    if (this.#queue.queuedBytes === 0) return this.#socket.close(close.code, close.reason);
    this.#every(10, () => {
      if (this.#queue.queuedBytes === 0) this.#socket.close(close.code, close.reason);
    });
  }

  #handleOpen(): void {
    this.#cancelDeadline();
    if (this.#socket.protocol !== NATIVE_PROTOCOL) {
      return this.#reject(`the server does not speak ${NATIVE_PROTOCOL}: is this a Moorage server?`);
    }
    this.#cancelDeadline = this.#expect("the server did not answer the registration");
    this.#lastHeardAt = this.#options.clock.elapsed();
    this.#queue.send(JSON.stringify({ ...this.#options.register(), exchange_kinds: ANSWERED_KINDS }));
  }

  #handleMessage(data: string | Buffer): void {
    // Messages that were on their way when this end had already closed.
    if (this.#ended || this.#isClosing) return;
    this.#lastHeardAt = this.#options.clock.elapsed();
    if (typeof data === "string") return this.#handleText(data);
    if (!this.#exchanges) return this.#reject("a frame before the registration was answered");
    const frame = decodeFrame(data);
    const wrong = frame.type === "bad" ? frame.reason : this.#exchanges.handle(frame);
    if (wrong !== undefined) this.#reject(wrong);
  }

  /** Ends the link because the server broke the protocol. */
  #reject(why: string): void {
    this.close(closeWith("protocol_error", why));
  }

  #handleText(text: string): void {
    const message = parseServerMessage(text);
    switch (message.type) {
      case "registered":
        // A second one says nothing new.
        return this.#exchanges ? undefined : this.#handleRegistered(message);
      case "drain":
        this.#options.log.info("server.draining", { reason: message.reason, retry_after_ms: message.retry_after_ms });
        this.#retryAfterMs = message.retry_after_ms;
        this.drain();
        // The running jobs may take long, and other requests wait for this worker at the server that takes over.
        if (this.running > 0) this.#options.onLeaving(message.retry_after_ms);
        return;
      case "handover":
        this.#options.log.info("server.handing_over", {
          reason: message.reason,
          retry_after_ms: message.retry_after_ms,
        });
        return this.#options.onLeaving(message.retry_after_ms);
      case "terms":
        return this.#options.onTerms?.(message);
      case "bad":
        return this.#reject(message.reason);
      case "unknown":
        return;
    }
  }

  #handleRegistered(registered: Registered): void {
    const { clock, log, jobs, load, random } = this.#options;
    this.#cancelDeadline();
    this.#registeredAt = clock.elapsed();
    this.#exchanges = new Exchanges({
      ...jobs,
      outlet: { hasRoom: () => this.#queue.hasRoom, send: (frame) => this.#send(frame) },
      toFailure,
      window: registered.window,
      clock,
      log,
      onIdle: () => {
        if (this.#isDraining) this.close(CLOSES.drained);
      },
    });
    this.#every(registered.ping_interval_ms, () => this.#checkLife(registered.ping_interval_ms));
    const { least, most } = HEARTBEAT_MS;
    this.#every(least + random() * (most - least), () => {
      const { cpuPercent, ramUsedPercent } = load();
      this.sendControl({
        type: "heartbeat",
        ts: Math.floor(clock.now() / 1000),
        host_cpu_percent: cpuPercent,
        host_ram_used_percent: ramUsedPercent,
      });
    });
    this.#options.onRegistered(registered);
  }

  #send(frame: Uint8Array): void {
    if (!this.#ended) this.#queue.send(frame);
  }

  #checkLife(intervalMs: number): void {
    const silentMs = this.#options.clock.elapsed() - this.#lastHeardAt;
    if (silentMs > MISSED * intervalMs)
      this.#terminate(closeWith("no_close_frame", `the server was silent for ${Math.round(silentMs)} ms`));
    else this.#socket.ping();
  }

  #expect(what: string): CancelTimer {
    const { dialTimeoutMs: ms, proxy } = this.#options;
    const way = proxy === false ? "" : ` through the proxy ${shownProxy(proxy)}`;
    return this.#after(ms, () => this.#terminate(closeWith("no_close_frame", `${what}${way} within ${ms} ms`)));
  }

  #terminate(close: Close): void {
    this.#socket.terminate();
    this.#end(close);
  }

  #after(ms: number, callback: () => void): CancelTimer {
    const cancel = this.#options.clock.after(ms, callback);
    this.#timers.add(cancel);
    return cancel;
  }

  #every(ms: number, callback: () => void): void {
    this.#timers.add(this.#options.clock.every(ms, callback));
  }

  #end({ code, reason }: Close): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const cancel of this.#timers) cancel();
    this.#queue.close();
    this.#exchanges?.handleLost();
    const registeredMs =
      this.#registeredAt === undefined ? undefined : this.#options.clock.elapsed() - this.#registeredAt;
    const hint = this.#lastError?.hint;
    const end: LinkEnd = { code, reason, hint, registeredMs, retryAfterMs: this.#retryAfterMs };
    // A socket that fails at once must not report before its maker knows it.
    queueMicrotask(() => this.#options.onClosed(end));
  }
}
