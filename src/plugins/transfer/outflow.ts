import { freeMemory } from "../../http/body.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Exchange, ExchangeEnd, ExchangeSink } from "../../tunnel/exchange.ts";
import type { Session } from "../../tunnel/session.ts";
import type { ByteReader } from "../../wire/byte-reader.ts";
import type { RequestHead, ResponseHead } from "../../wire/heads.ts";
import type { Flow, Outcome } from "./passage.ts";
import { outcomeIn } from "./reader-head.ts";

export interface OutflowOptions {
  readonly clock: Clock;
  /** The session to the reader's server. */
  readonly session: Session;
  readonly head: RequestHead;
  /** The writer's body; null if it has none. */
  readonly source: ReadableStream<Uint8Array> | null;
  /** The length that the writer has declared. */
  readonly length: number | undefined;
  readonly writerSignal: AbortSignal;
  /** Longest time without a byte. */
  readonly stallMs: number;
  readonly onBytes: (bytes: number) => void;
  /** Called once, not before `start` has returned. */
  readonly onEnded: (outcome: Outcome) => void;
}

/** Why the writer's body did not end in order. */
class BrokenBody extends Error {}

/**
 * Sends bytes from a writer to the reader's server, as fast as that server takes them. At the end, the reader's server says
 * whether its client has received everything. The exchange is broken off if bytes are missing, so that the other server never
 * takes a part for the whole.
 */
export class Outflow implements Flow, ExchangeSink {
  readonly #options: OutflowOptions;
  #exchange: Exchange | undefined;
  #head: ResponseHead | undefined;
  #outcome: Outcome | undefined;
  #hasEnded = false;
  #stopWatch: CancelTimer = () => {};
  readonly #writerLeft = (): void => this.#breakOff("writer_gone");
  bytes = 0;

  constructor(options: OutflowOptions) {
    this.#options = options;
  }

  start(): void {
    const { session, head, source, writerSignal } = this.#options;
    writerSignal.addEventListener("abort", this.#writerLeft);
    const body = source ? this.#counted(source.getReader()) : new Uint8Array(0);
    if (!source) this.#bodyEnded();
    this.#exchange = session.open({ head, body }, this);
    this.#watch();
    // A signal that was aborted before fires no event.
    if (writerSignal.aborted) queueMicrotask(this.#writerLeft);
  }

  close(): void {
    this.#breakOff("closed");
  }

  onHead(head: ResponseHead): void {
    this.#head = head;
  }

  onData(bytes: Uint8Array): void {
    this.#exchange?.consumed(bytes.length);
  }

  onEnd(end: ExchangeEnd): void {
    this.#end(this.#outcome ?? this.#outcomeOf(end));
  }

  onSettled(): void {}

  #outcomeOf(end: ExchangeEnd): Outcome {
    if (end.kind === "complete" && this.#head) return outcomeIn(this.#head);
    if (end.kind === "canceled" && end.cause !== undefined)
      return end.cause instanceof BrokenBody ? "wrong_length" : "writer_gone";
    // The reader has left, or its server has, or the link has broken.
    return "reader_gone";
  }

  #counted(reader: ByteReader): ReadableStream<Uint8Array> {
    const { length, onBytes } = this.#options;
    let sent: Uint8Array | undefined;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await reader.read();
          // The exchange copies a piece before it asks for the next one.
          if (sent) freeMemory(sent);
          sent = value;
          if (done || value === undefined) {
            if (length !== undefined && length !== this.bytes) throw new BrokenBody("not the declared length");
            this.#bodyEnded();
            controller.close();
            return;
          }
          this.bytes += value.length;
          onBytes(value.length);
          controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /** A writer that leaves now has sent everything, so the reader still gets all of it. */
  #bodyEnded(): void {
    this.#options.writerSignal.removeEventListener("abort", this.#writerLeft);
  }

  /** Uses one timer for the whole transfer. A stall is noticed after one to two times `stallMs`. */
  #watch(): void {
    const before = this.bytes;
    this.#stopWatch = this.#options.clock.after(this.#options.stallMs, () => {
      if (this.bytes === before) this.#breakOff("stalled");
      else this.#watch();
    });
  }

  #breakOff(outcome: Outcome): void {
    if (this.#hasEnded) return;
    this.#outcome = outcome;
    this.#exchange?.cancel("canceled");
  }

  #end(outcome: Outcome): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopWatch();
    this.#bodyEnded();
    this.#options.onEnded(outcome);
  }
}
