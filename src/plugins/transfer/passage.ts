import { Fault } from "../../errors.ts";
import { freeMemory } from "../../http/body.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";

/** How a passage ended. */
export type Outcome = "completed" | "writer_gone" | "reader_gone" | "wrong_length" | "stalled" | "closed";

export interface PassageOptions {
  readonly clock: Clock;
  /** What the writer sends; null where it sends nothing. */
  readonly source: ReadableStream<Uint8Array> | null;
  /** Bytes that the writer has declared. */
  readonly length: number | undefined;
  readonly writerSignal: AbortSignal;
  readonly readerSignal: AbortSignal;
  /** Whether the reader's connection still has something to send, or is waited for. */
  readonly isReaderBusy: () => boolean;
  /** Longest time without a byte, where they are seen. */
  readonly stallMs: number;
  /** Gives the reader's connection an idle timeout of the runtime's, which every byte sent puts off: where they are not. */
  readonly limitReader: () => void;
  readonly onBytes: (bytes: number) => void;
  /** Called once. */
  readonly onEnded: (outcome: Outcome) => void;
}

/** The first and the longest pause between two looks at whether the reader's connection is done. */
const FIRST_LOOK_MS = 2;
const LAST_LOOK_MS = 100;

/**
 * How long the news that a reader is lost may lag behind its connection being done. Measured with readers killed at random
 * and every core taken: one turn of the event loop, at most 4 ms.
 */
const SETTLE_MS = 10;

/**
 * From this length on a body whose length is known is handed to the runtime whole: it then moves the bytes without a turn
 * of this program for each chunk, at half the cost (0.7 s of CPU a GiB instead of 1.1 to 1.3). They are not seen then.
 */
const HAND_OVER_BYTES = 16 * 1024 * 1024;

/**
 * Bytes on their way from a writer to a reader. The runtime moves them, a chunk at a time and no faster than the reader
 * takes; here they are only counted, and watched to their end.
 */
export class Passage {
  /** The reader's answer: errors, and so cuts the connection, unless everything has passed. */
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
        // The stream holds nothing back, so whoever asks for this chunk has written the one before.
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
    this.#isHandedOver = options.length !== undefined && options.length >= HAND_OVER_BYTES;
    this.#isUnseen = this.#isHandedOver;
    this.stream = this.#isHandedOver ? source : source.pipeThrough(counting);
  }

  /** Bytes that the reader's connection was given so far; undefined while they pass unseen. */
  get bytes(): number | undefined {
    return this.#isUnseen ? undefined : this.#bytes;
  }

  /** Begins to watch. */
  start(): void {
    const { writerSignal, readerSignal } = this.#options;
    writerSignal.addEventListener("abort", this.#writerLeft);
    readerSignal.addEventListener("abort", this.#readerLeft);
    if (this.#isHandedOver) {
      this.#options.limitReader();
      this.#look(FIRST_LOOK_MS);
    } else this.#watch();
    // Gone already: there will be no event for it.
    if (writerSignal.aborted) this.#writerLeft();
    else if (readerSignal.aborted) this.#readerLeft();
  }

  /** The server goes away under it. */
  close(): void {
    this.#end("closed");
  }

  /** The writer has sent everything, and the reader's connection has it or is about to. */
  #flushed(): void {
    const { length } = this.#options;
    if (length !== undefined && length !== this.#bytes) {
      this.#end("wrong_length");
      // The stream must not close: this makes it fail instead.
      throw brokenFault("the writer sent another number of bytes than it had declared");
    }
    // A writer that leaves now has sent everything; the reader shall have it.
    this.#options.writerSignal.removeEventListener("abort", this.#writerLeft);
    // It is over for the writer only when the last byte has left: until then the reader may yet be lost.
    this.#look(FIRST_LOOK_MS);
  }

  #look(afterMs: number): void {
    if (this.#ended) return;
    this.#stopLooking = this.#options.clock.after(afterMs, () => {
      if (this.#options.isReaderBusy()) this.#look(Math.min(afterMs * 2, LAST_LOOK_MS));
      else this.#settle();
    });
  }

  /** A reader that is lost is done as well, and the event that says so comes a turn of the event loop later. */
  #settle(): void {
    this.#stopLooking = this.#options.clock.after(SETTLE_MS, () => this.#complete());
  }

  #complete(): void {
    const { length = 0, onBytes } = this.#options;
    if (this.#isHandedOver) {
      // The runtime lets no body pass that is not as long as was declared.
      this.#bytes = length;
      this.#isUnseen = false;
      onBytes(length);
    }
    this.#end("completed");
  }

  /** One timer for the whole passage: a chunk costs none. So a stall is seen after one to two times `stallMs`. */
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
    // Both ends of the stream fail: the reader's connection is cut, and what the writer still sends is discarded.
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
