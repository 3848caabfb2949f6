/** Keeps bytes outside of memory. One append and one read may run at a time, also side by side. */
export interface AnswerSpool {
  append(bytes: Uint8Array): Promise<void>;
  /** Returns at least one byte from `at` on, which must have been appended. The result may be a view on `memory`. */
  read(at: number, memory: Uint8Array): Promise<Uint8Array>;
  /** May be called at any time. */
  close(): void;
}

export interface OverflowOptions {
  readonly createSpool: () => AnswerSpool;
  /** The most bytes that wait in memory to be spooled. A disk that is slower than the network fails. */
  readonly maxWaitingBytes: number;
  /** The most bytes that are spooled at once. */
  readonly maxBytes: number;
}

/** Bytes per read. */
const READ_BYTES = 128 * 1024;

/** The part of an answer that a slow client has not read yet: first in, first out, on disk. */
export class Overflow {
  readonly #options: OverflowOptions;
  #spool: AnswerSpool | undefined;
  /** Bytes in the spool, from its beginning, and those of them that were taken. */
  #appended = 0;
  #taken = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isAppending = false;
  #hasFailed = false;
  #onAppended: (() => void) | undefined;

  constructor(options: OverflowOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#appended - this.#taken + this.#waitingBytes;
  }

  /** Takes the next bytes. Returns false if they cannot be kept, now or because the disk has failed. */
  push(bytes: Uint8Array): boolean {
    const { maxBytes, maxWaitingBytes } = this.#options;
    const isTooMuch = this.#waitingBytes + bytes.length > maxWaitingBytes || this.#appended + bytes.length > maxBytes;
    if (this.#hasFailed || isTooMuch) return false;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#isAppending) void this.#append();
    return true;
  }

  /**
   * Returns the oldest bytes and forgets them. Rejects if they cannot be read. Call it only while there are any, one at a
   * time.
   */
  async take(): Promise<Uint8Array> {
    if (this.#taken === this.#appended && this.#isAppending) {
      await new Promise<void>((resolve) => {
        this.#onAppended = resolve;
      });
    }
    if (this.#hasFailed || !this.#spool) throw new Error("the spool has failed");
    const bytes = await this.#spool.read(this.#taken, new Uint8Array(READ_BYTES));
    this.#taken += bytes.length;
    if (this.bytes === 0 && !this.#isAppending) this.#reset();
    return bytes;
  }

  close(): void {
    this.#hasFailed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#reset();
  }

  async #append(): Promise<void> {
    this.#isAppending = true;
    try {
      for (;;) {
        const bytes = this.#waiting.shift();
        if (!bytes) break;
        this.#spool ??= this.#options.createSpool();
        await this.#spool.append(bytes);
        if (this.#hasFailed) break;
        this.#waitingBytes -= bytes.length;
        this.#appended += bytes.length;
        this.#wake();
      }
    } catch {
      // The next `take` or `push` reports it.
      this.#hasFailed = true;
    }
    this.#isAppending = false;
    this.#wake();
  }

  #wake(): void {
    this.#onAppended?.();
    this.#onAppended = undefined;
  }

  #reset(): void {
    this.#spool?.close();
    this.#spool = undefined;
    this.#appended = 0;
    this.#taken = 0;
  }
}
