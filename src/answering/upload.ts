import { ReceiveCredit } from "../wire/credit.ts";

export interface UploadOptions {
  /** Bytes that the server may send before its first grant: also the most that is held here. */
  readonly window: number;
  /** Allows the server `bytes` more. */
  readonly grant: (bytes: number) => void;
  /** The backend has taken something. */
  readonly onTaken: () => void;
}

/** A request body on its way from the server to the backend: frames in, a stream out, no more held than one window. */
export class Upload {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #options: UploadOptions;
  readonly #credit: ReceiveCredit;
  #pieces: Uint8Array[] = [];
  #isWhole = false;
  #isDropped = false;
  #error: Error | undefined;
  /** Wakes a read that found nothing. */
  #wake: (() => void) | undefined;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#credit = new ReceiveCredit(options.window);
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        // The backend answered or broke off without reading on: what still comes has no taker, and earns no credit.
        cancel: () => this.drop(),
      },
      // Nothing is read ahead: only what the backend has really taken earns credit.
      { highWaterMark: 0 },
    );
  }

  /** Every byte has come. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** The backend waits for bytes that the server has not sent yet: silence is not the backend's doing. */
  get isStarved(): boolean {
    return !this.#isWhole && !this.#isDropped && this.#pieces.length === 0;
  }

  /** False when the server sent more than it was granted, or anything after the end. */
  push(bytes: Uint8Array, end: boolean): boolean {
    if (this.#isWhole || !this.#credit.receive(bytes.length)) return false;
    if (bytes.length > 0 && !this.#isDropped) this.#pieces.push(bytes);
    if (end) this.#isWhole = true;
    this.#wake?.();
    return true;
  }

  /** The body will never be whole: the backend's request must not look complete. */
  fail(reason: string): void {
    this.#error = new Error(reason);
    this.drop();
  }

  drop(): void {
    this.#isDropped = true;
    this.#pieces = [];
    this.#wake?.();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.isStarved) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    if (this.#error) return controller.error(this.#error);
    if (this.#isDropped) return;
    const piece = this.#pieces.shift();
    if (!piece) return controller.close();
    controller.enqueue(piece);
    this.#options.onTaken();
    const bytes = this.#credit.consume(piece.length);
    // Credit for bytes that will not come would only cost a frame.
    if (bytes > 0 && !this.#isWhole) this.#options.grant(bytes);
  }
}
