const NEWLINE = 10;

/** Cuts a stream of bytes into lines, of which none may be longer than `maxBytes`. */
export class LineReader {
  readonly #maxBytes: number;
  /** The beginning of a line, in the pieces it came in: joining them at each piece would cost the square of its length. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that end in `chunk`, without their ends; undefined for a line that is too long, after which all is lost. */
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
