export interface CreditedStreamOptions {
  /** The reader has taken so many more of the source's bytes: the source may send as many again. */
  readonly onTaken: (bytes: number) => void;
  /** The reader is gone. */
  readonly onCancel: () => void;
}

/**
 * A body for a response, fed by a source that pushes and is paced by credit: what the reader has taken is told, and until
 * then it counts as held here.
 */
export class CreditedStream {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #onTaken: (bytes: number) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Bytes put in, and those of them that were told to be taken, or were never the source's. */
  #received = 0;
  #returned = 0;
  /** Ends the pending pull, so that the stream pulls again once its queue is empty. */
  #allowPull: (() => void) | undefined;

  constructor({ onTaken, onCancel }: CreditedStreamOptions) {
    this.#onTaken = onTaken;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: onCancel,
      },
      { highWaterMark: 0, size: byteLength },
    );
  }

  /** A reader that does not read: it needs no more to read. */
  get isCongested(): boolean {
    return (this.#controller?.desiredSize ?? 0) < 0;
  }

  /** The source's bytes. */
  write(bytes: Uint8Array): void {
    this.#received += bytes.length;
    this.#controller?.enqueue(bytes);
    this.#returnCredit();
  }

  /** Bytes of our own: they cost the source nothing, and earn it nothing. */
  writeOwn(bytes: Uint8Array): void {
    this.#received += bytes.length;
    this.#returned += bytes.length;
    this.#controller?.enqueue(bytes);
  }

  close(): void {
    this.#controller?.close();
  }

  /** Cuts the connection. Does nothing to a stream that its reader has cancelled. */
  error(reason: unknown): void {
    this.#controller?.error(reason);
  }

  /**
   * The reader has taken everything. While it keeps up, that is known at each write, and a pull per chunk would cost
   * more than the write: so this one stays pending, which holds off the next, until bytes pile up.
   */
  #pull(): Promise<void> | undefined {
    this.#returnCredit();
    if (this.isCongested) return undefined;
    return new Promise((resolve) => {
      this.#allowPull = resolve;
    });
  }

  /** All that was received and no longer stands in the stream's queue has been taken. */
  #returnCredit(): void {
    const queued = -(this.#controller?.desiredSize ?? 0);
    if (queued > 0 && this.#allowPull) {
      this.#allowPull();
      this.#allowPull = undefined;
    }
    const taken = this.#received - queued - this.#returned;
    if (taken <= 0) return;
    this.#returned += taken;
    this.#onTaken(taken);
  }
}

function byteLength(bytes: Uint8Array | undefined): number {
  return bytes?.byteLength ?? 0;
}
