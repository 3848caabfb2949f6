/** The producer of a stream's bytes. It sends only as many as it has credit for. */
export interface StreamSource {
  /** Reports that the reader has taken `bytes` more; the source may send as many again. */
  consumed(bytes: number): void;
  /** Reports that the reader is gone; the source should stop. */
  cancel(): void;
}

/**
 * The body of a response, fed by a source that pushes and that credit holds back. Bytes count as held here until the
 * reader has taken them; only then is the source told, through `consumed`.
 */
export class CreditedStream {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #source: StreamSource;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Bytes written, by the source and by us. */
  #received = 0;
  /** Bytes for which the source gets no more credit: those already reported as consumed, and our own. */
  #returned = 0;
  /** The reader has cancelled the stream, which no longer takes bytes. */
  #isCanceled = false;
  /** Ends the pending pull, so that the stream pulls again once its queue is empty. */
  #allowPull: (() => void) | undefined;

  constructor(source: StreamSource) {
    this.#source = source;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => {
          this.#isCanceled = true;
          source.cancel();
        },
      },
      { highWaterMark: 0, size: byteLength },
    );
  }

  /** True while bytes wait for the reader. */
  get isCongested(): boolean {
    return (this.#controller?.desiredSize ?? 0) < 0;
  }

  /** Writes bytes of the source. */
  write(bytes: Uint8Array): void {
    this.#received += bytes.length;
    this.#controller?.enqueue(bytes);
    this.#returnCredit();
  }

  /** Writes bytes of our own, which use none of the source's credit. */
  writeOwn(bytes: Uint8Array): void {
    this.#received += bytes.length;
    this.#returned += bytes.length;
    this.#controller?.enqueue(bytes);
  }

  /** Ends the body in order. Does nothing if the reader has cancelled the stream. */
  close(): void {
    if (!this.#isCanceled) this.#controller?.close();
  }

  /** Cuts the connection, so that the body cannot look complete. Does nothing if the reader has cancelled the stream. */
  error(reason: unknown): void {
    this.#controller?.error(reason);
  }

  /**
   * Called when the queue is empty. While the reader keeps up, every write finds that out by itself, and a pull for each
   * chunk would cost more than the write. So this promise stays pending, which holds off further pulls, until bytes pile up.
   */
  #pull(): Promise<void> | undefined {
    this.#returnCredit();
    if (this.isCongested) return undefined;
    return new Promise((resolve) => {
      this.#allowPull = resolve;
    });
  }

  /** Reports everything that was received and has left the stream's queue. */
  #returnCredit(): void {
    const queued = -(this.#controller?.desiredSize ?? 0);
    if (queued > 0 && this.#allowPull) {
      this.#allowPull();
      this.#allowPull = undefined;
    }
    const taken = this.#received - queued - this.#returned;
    if (taken <= 0) return;
    this.#returned += taken;
    this.#source.consumed(taken);
  }
}

function byteLength(bytes: Uint8Array | undefined): number {
  return bytes?.byteLength ?? 0;
}
