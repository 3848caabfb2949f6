import type { Clock, Log } from "../system/deps.ts";
import { encodeReset, type Frame } from "../wire/frame.ts";
import type { RequestHead } from "../wire/heads.ts";
import { HTTP_KIND } from "../wire/names.ts";
import { AnsweringExchange, type ExchangeOutcome, type FrameOutlet } from "./answering-exchange.ts";
import type { Backend, Failure } from "./opening.ts";

export interface ExchangesOptions {
  readonly outlet: FrameOutlet;
  readonly window: number;
  readonly backend: Backend;
  /** Says what an error of `Opening.ask`, or of an answer's body, means on the wire. */
  readonly toFailure: (error: unknown) => Failure;
  readonly clock: Clock;
  readonly log: Log;
  /** Returns how many exchanges were declared to be answered at once. */
  readonly maxConcurrency: () => number;
  /** How many exchanges this end answers on other links: it has one set of slots for all. None unless given. */
  readonly runningElsewhere?: () => number;
  readonly requestTimeoutMs: number;
  /** Called when a job failed because the backend cannot be reached. */
  readonly onUnreachable: () => void;
  /** Called when the last running exchange has ended. */
  readonly onIdle: () => void;
}

/**
 * The server counts the slots. At this many times the declared number it has lost count and would bring the backend down.
 */
const SAFETY_FACTOR = 4;

/** The kinds of exchange that this end answers: what a worker announces when it registers. */
export const ANSWERED_KINDS: readonly string[] = [HTTP_KIND];

/** The exchanges of one link by their ids: routes frames to them. */
export class Exchanges {
  readonly #options: ExchangesOptions;
  readonly #running = new Map<number, AnsweringExchange>();
  #highestId = 0;
  #isDraining = false;

  constructor(options: ExchangesOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Refuses new exchanges from now on and ends those that only listen. The others continue. */
  drain(): void {
    this.#isDraining = true;
    for (const exchange of [...this.#running.values()]) exchange.endListening();
  }

  /**
   * Handles one frame. Returns what the server did against the protocol, for the close reason; undefined where all is
   * well.
   */
  handle(frame: Frame): string | undefined {
    if (frame.type === "request") {
      // Ids only grow and are never reused, which distinguishes late frames from invented ones.
      if (frame.id <= this.#highestId) return `request with id ${frame.id}, which is not new`;
      this.#highestId = frame.id;
      this.#open(frame.id, frame.head, frame.body, frame.end);
      return undefined;
    }
    if (frame.type === "response" || frame.type === "response_data") return `a server sent ${frame.type}`;
    if (frame.id > this.#highestId || frame.id === 0) return `frame for exchange ${frame.id}, which was never opened`;
    // Undefined when the exchange has just ended and the frame was already on its way.
    const exchange = this.#running.get(frame.id);
    if (frame.type === "request_data") exchange?.handleData(frame.body, frame.end);
    else if (frame.type === "credit") exchange?.handleCredit(frame.bytes);
    else exchange?.handleReset();
    return undefined;
  }

  /** Continues the answers that waited for the socket to drain. */
  resume(): void {
    for (const exchange of [...this.#running.values()]) {
      if (!this.#options.outlet.hasRoom()) return;
      exchange.resume();
    }
  }

  /** Ends every exchange because the link is gone. */
  handleLost(): void {
    for (const exchange of [...this.#running.values()]) exchange.handleLost();
  }

  /** Ends every exchange because this end stops without waiting any longer. */
  breakOff(message: string): void {
    for (const exchange of [...this.#running.values()]) exchange.breakOff({ code: "draining", message });
  }

  #open(id: number, head: RequestHead, body: Uint8Array, end: boolean): void {
    const { outlet, window, backend, toFailure, clock, maxConcurrency, requestTimeoutMs } = this.#options;
    if (!ANSWERED_KINDS.includes(head.kind ?? HTTP_KIND))
      return outlet.send(encodeReset(id, "protocol_error", `no exchange of kind ${head.kind} is answered here`));
    if (this.#isDraining) return outlet.send(encodeReset(id, "draining", "the worker takes no more jobs"));
    if (this.#running.size >= SAFETY_FACTOR * maxConcurrency()) {
      return outlet.send(encodeReset(id, "busy", `more than ${SAFETY_FACTOR} times the declared jobs at once`));
    }
    const elsewhere = this.#options.runningElsewhere?.() ?? 0;
    // Two servers, one of which takes over from the other, count the same slots.
    if (elsewhere > 0 && this.#running.size + elsewhere >= maxConcurrency())
      return outlet.send(encodeReset(id, "busy", "the slots are taken by jobs of another server"));
    const exchange = new AnsweringExchange({
      id,
      outlet,
      window,
      backend,
      toFailure,
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
    // The path may contain what a client wrote, so it is not logged. The request id names the job on both sides.
    if (kind === "broken") this.#options.log.warn("job.ended", fields);
    else this.#options.log.debug("job.ended", fields);
    if (code === "upstream_unreachable") this.#options.onUnreachable();
    if (this.#running.size === 0) this.#options.onIdle();
  }
}

/** Returns the id that the server gave the job; undefined for anything that does not look like one. */
function requestId(head: RequestHead): string | undefined {
  const value = head.headers.find(([name]) => name.toLowerCase() === "x-request-id")?.[1];
  return value !== undefined && /^[\w.-]{1,160}$/.test(value) ? value : undefined;
}
