import { ReceiveCredit } from "../wire/credit.ts";

export interface UploadOptions {
  /** Bytes that the server may send before the first grant, which is also the most that is held here. */
  readonly window: number;
  /** Allows the server to send `bytes` more. */
  readonly grant: (bytes: number) => void;
  /** Called when the backend has taken a piece. */
  readonly onTaken: () => void;
}

/** A request body on its way from the server to the backend: frames in, a stream out, at most one window held. */
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
        // The backend answered or broke off early: later bytes have no reader and earn no credit.
        cancel: () => this.drop(),
      },
      // Nothing is read ahead: only what the backend has actually taken earns credit.
      { highWaterMark: 0 },
    );
  }

  /** Whether every byte has arrived. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether the backend waits for bytes that the server has not sent yet; the server then causes the backend's silence. */
  get isStarved(): boolean {
    return !this.#isWhole && !this.#isDropped && this.#pieces.length === 0;
  }

  /** Takes bytes from the server. Returns false for more than was granted, and for anything after the end. */
  push(bytes: Uint8Array, end: boolean): boolean {
    if (this.#isWhole || !this.#credit.receive(bytes.length)) return false;
    if (bytes.length > 0 && !this.#isDropped) this.#pieces.push(bytes);
    if (end) this.#isWhole = true;
    this.#wake?.();
    return true;
  }

  /** Breaks the stream: the body will never be whole, and the backend's request must not look complete. */
  fail(reason: string): void {
    this.#error = new Error(reason);
    this.drop();
  }

  /** Discards what is held and whatever still arrives. */
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
    // Credit for bytes that will never arrive would only cost a frame.
    if (bytes > 0 && !this.#isWhole) this.#options.grant(bytes);
  }
}
