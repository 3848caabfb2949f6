import type { Clock, Log } from "../system/deps.ts";
import { encodeReset, type Frame, type RequestHead } from "../wire/frame.ts";
import { type ExchangeOutcome, type Wire, WorkerExchange } from "./exchange.ts";
import type { Backend } from "./opening.ts";

export interface ExchangesOptions {
  readonly wire: Wire;
  readonly window: number;
  readonly backend: Backend;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxConcurrency: number;
  readonly requestTimeoutMs: number;
  /** A job failed because the backend cannot be reached. */
  readonly onUnreachable: () => void;
  /** The last running exchange has ended. */
  readonly onIdle: () => void;
}

/** The server counts the slots; this many times over, it has lost count and would bring the backend down. */
const SAFETY_FACTOR = 4;

/** The exchanges of one link, by id: routes frames to them. */
export class Exchanges {
  readonly #options: ExchangesOptions;
  readonly #running = new Map<number, WorkerExchange>();
  #highestId = 0;
  #isDraining = false;

  constructor(options: ExchangesOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running.size;
  }

  /** From now on new exchanges are refused; what runs goes on. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Handles one frame. Returns what the server did against the protocol, for the close reason; undefined where all is well. */
  handle(frame: Frame): string | undefined {
    if (frame.type === "request") {
      // Ids only grow and are never used twice: that is how late frames are told from invented ones.
      if (frame.id <= this.#highestId) return `request with id ${frame.id}, which is not new`;
      this.#highestId = frame.id;
      this.#open(frame.id, frame.head, frame.body, frame.end);
      return undefined;
    }
    if (frame.type === "response" || frame.type === "response_data") return `a server sent ${frame.type}`;
    if (frame.id > this.#highestId || frame.id === 0) return `frame for exchange ${frame.id}, which was never opened`;
    // Undefined when it has just ended and the frame was under way.
    const exchange = this.#running.get(frame.id);
    if (frame.type === "request_data") exchange?.handleData(frame.body, frame.end);
    else if (frame.type === "credit") exchange?.handleCredit(frame.bytes);
    else exchange?.handleReset();
    return undefined;
  }

  /** The socket takes more again. */
  resume(): void {
    for (const exchange of [...this.#running.values()]) {
      if (!this.#options.wire.hasRoom()) return;
      exchange.resume();
    }
  }

  /** The link is gone. */
  handleLost(): void {
    for (const exchange of [...this.#running.values()]) exchange.handleLost();
  }

  /** The worker stops without waiting any longer. */
  breakOff(message: string): void {
    for (const exchange of [...this.#running.values()]) exchange.breakOff("draining", message);
  }

  #open(id: number, head: RequestHead, body: Uint8Array, end: boolean): void {
    const { wire, window, backend, clock, maxConcurrency, requestTimeoutMs } = this.#options;
    if (this.#isDraining) return wire.send(encodeReset(id, "draining", "the worker takes no more jobs"));
    if (this.#running.size >= SAFETY_FACTOR * maxConcurrency) {
      return wire.send(encodeReset(id, "internal", `more than ${SAFETY_FACTOR} times the declared jobs at once`));
    }
    const exchange = new WorkerExchange({
      id,
      wire,
      window,
      backend,
      clock,
      requestTimeoutMs,
      onEnded: (outcome) => this.#handleEnded(id, head, outcome),
    });
    this.#running.set(id, exchange);
    exchange.start(head, body, end);
  }

  #handleEnded(id: number, head: RequestHead, { kind, status, code, message, elapsedMs }: ExchangeOutcome): void {
    this.#running.delete(id);
    const fields = {
      outcome: kind,
      request: requestId(head),
      exchange: id,
      status,
      code,
      reason: message,
      elapsed_ms: Math.round(elapsedMs),
    };
    // A path may hold what a client wrote, so it is not logged; the request id names the job on both sides.
    if (kind === "broken") this.#options.log.warn("job.ended", fields);
    else this.#options.log.debug("job.ended", fields);
    if (code === "upstream_unreachable") this.#options.onUnreachable();
    if (this.#running.size === 0) this.#options.onIdle();
  }
}

/** The id that the server gave the job, as long as it looks like one. */
function requestId(head: RequestHead): string | undefined {
  const value = head.headers.find(([name]) => name.toLowerCase() === "x-request-id")?.[1];
  return value !== undefined && /^[\w.-]{1,128}$/.test(value) ? value : undefined;
}
