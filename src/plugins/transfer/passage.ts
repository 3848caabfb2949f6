import { Fault } from "../../errors.ts";
import { freeMemory } from "../../http/body.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";

/** Bytes on their way through this server. */
export interface Flow {
  /** Bytes so far; undefined while they are not seen. */
  readonly bytes: number | undefined;
  /** Breaks it off because the server shuts down. */
  close(): void;
}

/** How a passage ended. */
export type Outcome = "completed" | "writer_gone" | "reader_gone" | "wrong_length" | "stalled" | "closed";

export interface PassageOptions {
  readonly clock: Clock;
  /** The writer's body; null if it has none. */
  readonly source: ReadableStream<Uint8Array> | null;
  /** The length that the writer has declared. */
  readonly length: number | undefined;
  /** Whether the source is the body of a request to this server, which the runtime can move by itself. */
  readonly isNative: boolean;
  readonly writerSignal: AbortSignal;
  readonly readerSignal: AbortSignal;
  /** Whether the reader's connection still has something to send, or waits for something. */
  readonly isReaderBusy: () => boolean;
  /** Longest time without a byte, for passages whose bytes are seen. */
  readonly stallMs: number;
  /**
   * Gives the reader's connection the runtime's idle timeout, which every sent byte extends. Called while the response is
   * under way, once no more of its bytes are seen: the runtime ignores a timeout that is set after the response.
   */
  readonly limitReader: () => void;
  readonly onBytes: (bytes: number) => void;
  /** Called once. */
  readonly onEnded: (outcome: Outcome) => void;
}

/** The first and the longest pause between two checks whether the reader's connection is done. */
const FIRST_LOOK_MS = 2;
const LAST_LOOK_MS = 100;

/**
 * How long after a reader's connection is done the event of its loss may come. Measured with readers killed at random while
 * every core was busy: one turn of the event loop, at most 4 ms.
 */
const SETTLE_MS = 10;

/**
 * The length from which a body of declared length is handed to the runtime whole. The runtime then moves the bytes unseen,
 * without a turn of this program for each chunk, and takes 0.7 s of CPU per GiB instead of 1.1 to 1.3.
 */
const HAND_OVER_BYTES = 16 * 1024 * 1024;

/**
 * The bytes on their way from a writer to a reader. The runtime moves them, one chunk at a time and no faster than the reader
 * reads. A passage only counts them and watches for the end.
 */
export class Passage implements Flow {
  /** The reader's answer. Unless everything has passed it ends with an error, which cuts the connection. */
  readonly stream: ReadableStream<Uint8Array>;
  readonly #options: PassageOptions;
  #controller: TransformStreamDefaultController<Uint8Array> | undefined;
  readonly #isHandedOver: boolean;
  #isUnseen: boolean;
  #bytes = 0;
  #current: Uint8Array | undefined;
  #passed: Uint8Array | undefined;
  #ended = false;
  #stopWatch: CancelTimer = () => {};
  #stopLooking: CancelTimer = () => {};
  readonly #writerLeft = (): void => this.#end("writer_gone");
  readonly #readerLeft = (): void => this.#end("reader_gone");

  constructor(options: PassageOptions) {
    this.#options = options;
    const counting = new TransformStream<Uint8Array, Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      transform: (chunk, controller) => {
        // The stream buffers nothing, so a request for this chunk means that the one before was written.
        if (this.#passed) freeMemory(this.#passed);
        this.#passed = this.#current;
        this.#current = chunk;
        this.#bytes += chunk.length;
        options.onBytes(chunk.length);
        controller.enqueue(chunk);
      },
      flush: () => this.#flushed(),
    });
    const source = options.source ?? emptyStream();
    this.#isHandedOver = options.isNative && options.length !== undefined && options.length >= HAND_OVER_BYTES;
    this.#isUnseen = this.#isHandedOver;
    this.stream = this.#isHandedOver ? source : source.pipeThrough(counting);
  }

  /** Bytes given to the reader's connection so far; undefined while they are not seen. */
  get bytes(): number | undefined {
    return this.#isUnseen ? undefined : this.#bytes;
  }

  /** Begins to watch the passage. */
  start(): void {
    const { writerSignal, readerSignal } = this.#options;
    writerSignal.addEventListener("abort", this.#writerLeft);
    readerSignal.addEventListener("abort", this.#readerLeft);
    if (this.#isHandedOver) {
      this.#options.limitReader();
      this.#look(FIRST_LOOK_MS);
    } else this.#watch();
    // A signal that is aborted already fires no event.
    if (writerSignal.aborted) this.#writerLeft();
    else if (readerSignal.aborted) this.#readerLeft();
  }

  /** Ends the passage, because the server is shutting down. */
  close(): void {
    this.#end("closed");
  }

  /** Handles the end of the writer's body, when the reader's connection has all of it or is about to. */
  #flushed(): void {
    const { length } = this.#options;
    if (length !== undefined && length !== this.#bytes) {
      this.#end("wrong_length");
      // This makes the stream fail, because it must not close.
      throw brokenFault("the writer sent another number of bytes than it had declared");
    }
    // A writer that leaves now has sent everything, so the reader still gets it.
    this.#options.writerSignal.removeEventListener("abort", this.#writerLeft);
    this.#options.limitReader();
    // The writer waits until the last byte has left, because the reader may still be lost until then.
    this.#look(FIRST_LOOK_MS);
  }

  #look(afterMs: number): void {
    if (this.#ended) return;
    this.#stopLooking = this.#options.clock.after(afterMs, () => {
      if (this.#options.isReaderBusy()) this.#look(Math.min(afterMs * 2, LAST_LOOK_MS));
      else this.#settle();
    });
  }

  /** Waits for the event of a lost reader, which comes one turn of the event loop after its connection is done. */
  #settle(): void {
    this.#stopLooking = this.#options.clock.after(SETTLE_MS, () => this.#complete());
  }

  #complete(): void {
    const { length = 0, onBytes } = this.#options;
    if (this.#isHandedOver) {
      // The runtime fails a body whose length differs from the declared one.
      this.#bytes = length;
      this.#isUnseen = false;
      onBytes(length);
    }
    this.#end("completed");
  }

  /** Uses one timer for the whole passage, so that chunks cost none. A stall is noticed after one to two times `stallMs`. */
  #watch(): void {
    const before = this.#bytes;
    this.#stopWatch = this.#options.clock.after(this.#options.stallMs, () => {
      if (this.#bytes === before) this.#end("stalled");
      else this.#watch();
    });
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopWatch();
    this.#stopLooking();
    const { writerSignal, readerSignal, onEnded } = this.#options;
    writerSignal.removeEventListener("abort", this.#writerLeft);
    readerSignal.removeEventListener("abort", this.#readerLeft);
    // Both ends of the stream fail: the reader's connection is cut, and the rest of the writer's body is discarded.
    if (outcome !== "completed") this.#controller?.error(brokenFault(outcome));
    onEnded(outcome);
  }
}

function brokenFault(why: string): Fault {
  return new Fault("transfer_broken", { message: `The transfer broke: ${why}.` });
}

function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}
