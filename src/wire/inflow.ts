/**
 * A body that arrives in pieces from another link and leaves as fast as the next link takes it. It works like a stream, but
 * without a promise for each piece. Its owner grants the sender as much as was taken, so no more than a window is held.
 */
export class Inflow {
  readonly #onTaken: (bytes: number) => void;
  #pieces: Uint8Array[] = [];
  /** The place of the oldest piece: taken pieces are removed in groups. */
  #next = 0;
  #hasEnded = false;
  #onMore: (() => void) | undefined;

  /** `onTaken` is called with the length of each piece that the consumer takes. */
  constructor(onTaken: (bytes: number) => void) {
    this.#onTaken = onTaken;
  }

  /** Whether the body has ended and all of it was taken. */
  get isDone(): boolean {
    return this.#hasEnded && this.#next === this.#pieces.length;
  }

  /** Whether the last piece has arrived. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Takes in a piece, whose memory MUST NOT change any more. `end`: it is the last one. */
  push(bytes: Uint8Array, end: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = end;
    if (bytes.length > 0) this.#pieces.push(bytes);
    this.#onMore?.();
  }

  /** Sets the one consumer, which is called when there may be a piece to take, or when the body has ended. */
  read(onMore: () => void): void {
    this.#onMore = onMore;
  }

  /** Returns the oldest piece and forgets it; undefined if there is none now. */
  take(): Uint8Array | undefined {
    const piece = this.#pieces[this.#next];
    if (piece === undefined) return undefined;
    this.#next += 1;
    if (this.#next === this.#pieces.length) {
      this.#pieces = [];
      this.#next = 0;
    }
    this.#onTaken(piece.length);
    return piece;
  }

  /** Drops all pieces, present and future, because nobody reads the body any more. */
  drop(): void {
    this.#onMore = undefined;
    this.#pieces = [];
    this.#next = 0;
    this.#hasEnded = true;
  }
}
