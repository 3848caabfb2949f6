/** How much of an answer's end is kept. A final `usage` and the fields around it take less than 2 KiB in every known API. */
const KEPT_BYTES = 16 * 1024;

/** The last bytes of an answer that passes by. Pieces are kept as they came; only the end of a large one is copied. */
export class LastBytes {
  readonly #pieces: Uint8Array[] = [];
  readonly #onDrop: ((bytes: Uint8Array) => void) | undefined;
  #bytes = 0;
  #isCut = false;

  /** `onDrop` gets what is not kept, in order. */
  constructor(onDrop?: (bytes: Uint8Array) => void) {
    this.#onDrop = onDrop;
  }

  push(piece: Uint8Array): void {
    // Empty pieces count nothing against the limit, so they would pile up.
    if (piece.length === 0) return;
    let kept = piece;
    if (piece.length > KEPT_BYTES) {
      while (this.#pieces.length > 0) this.#dropFirst();
      this.#drop(piece.subarray(0, -KEPT_BYTES));
      // A view would keep the whole of a large piece in memory.
      kept = Uint8Array.from(piece.subarray(-KEPT_BYTES));
    }
    this.#pieces.push(kept);
    this.#bytes += kept.length;
    while (this.#bytes - (this.#pieces[0]?.length ?? 0) >= KEPT_BYTES) this.#dropFirst();
  }

  /** Everything that is kept: the last bytes, and the beginning of the piece in which they begin. */
  get kept(): Uint8Array {
    const [only, second] = this.#pieces;
    return only && !second ? only : Buffer.concat(this.#pieces);
  }

  /** The last 16 KiB. */
  get bytes(): Uint8Array {
    return this.kept.subarray(-KEPT_BYTES);
  }

  /** Whether there were more than these. */
  get isCut(): boolean {
    return this.#isCut || this.#bytes > KEPT_BYTES;
  }

  #dropFirst(): void {
    const dropped = this.#pieces.shift();
    if (!dropped) return;
    this.#bytes -= dropped.length;
    this.#drop(dropped);
  }

  #drop(bytes: Uint8Array): void {
    this.#isCut = true;
    this.#onDrop?.(bytes);
  }
}
