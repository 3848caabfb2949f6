const NEWLINE = 10;

/** Cuts a stream of bytes into lines of at most `maxBytes`. */
export class LineReader {
  readonly #maxBytes: number;
  /** The pieces of an unfinished line: joining them at each piece would take quadratic time. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Returns the lines that end in `chunk`, without their newlines. Undefined for a line that is too long, after which the
   * reader cannot be used any more.
   */
  push(chunk: Uint8Array): readonly string[] | undefined {
    const lines: string[] = [];
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, end === -1 ? undefined : end);
      this.#bytes += piece.length;
      if (this.#bytes > this.#maxBytes) {
        this.#pieces = [];
        return undefined;
      }
      if (piece.length > 0) this.#pieces.push(piece);
      if (end === -1) return lines;
      lines.push(Buffer.concat(this.#pieces).toString());
      this.#pieces = [];
      this.#bytes = 0;
      from = end + 1;
    }
  }
}
