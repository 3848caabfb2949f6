const NEWLINE = 10;
/** What is kept of a line that is too long: enough to find its id at either end. */
const HEAD_BYTES = 4096;
const TAIL_BYTES = 512;

/** A line that was too long, of which only both ends are kept. */
export interface LongLine {
  readonly head: string;
  readonly tail: string;
}

export interface LineLimits {
  /** The longest line, in bytes. Of a longer one only the ends are kept. */
  readonly maxBytes: number;
  /** The longest line that is skipped. After a longer one the reader cannot be used any more. */
  readonly maxSkippedBytes: number;
}

/** Cuts a stream of bytes into lines. */
export class LineReader {
  readonly #limits: LineLimits;
  /** The pieces of an unfinished line: joining them at each piece would take quadratic time. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** The ends of an unfinished line that is too long. */
  #long: { readonly head: string; tail: Buffer } | undefined;

  constructor(limits: LineLimits) {
    this.#limits = limits;
  }

  /** Returns the lines that end in `chunk`, without their newlines; undefined once a line has no end. */
  push(chunk: Uint8Array): readonly (string | LongLine)[] | undefined {
    const lines: (string | LongLine)[] = [];
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, end === -1 ? undefined : end);
      this.#bytes += piece.length;
      if (this.#bytes > this.#limits.maxSkippedBytes) {
        this.#pieces = [];
        return undefined;
      }
      if (piece.length > 0) this.#keep(piece);
      if (end === -1) return lines;
      lines.push(this.#take());
      from = end + 1;
    }
  }

  #keep(piece: Uint8Array): void {
    if (this.#long) {
      this.#long.tail = lastBytes([this.#long.tail, piece]);
      return;
    }
    this.#pieces.push(piece);
    if (this.#bytes <= this.#limits.maxBytes) return;
    const head = firstBytes(this.#pieces).toString();
    this.#long = { head, tail: lastBytes(this.#pieces) };
    this.#pieces = [];
  }

  #take(): string | LongLine {
    const line = this.#long
      ? { head: this.#long.head, tail: this.#long.tail.toString() }
      : Buffer.concat(this.#pieces).toString();
    this.#pieces = [];
    this.#bytes = 0;
    this.#long = undefined;
    return line;
  }
}

function firstBytes(pieces: readonly Uint8Array[]): Buffer {
  const first: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    if (bytes >= HEAD_BYTES) break;
    first.push(piece.subarray(0, HEAD_BYTES - bytes));
    bytes += piece.length;
  }
  return Buffer.concat(first);
}

function lastBytes(pieces: readonly Uint8Array[]): Buffer {
  const last: Uint8Array[] = [];
  let missing = TAIL_BYTES;
  for (let at = pieces.length - 1; at >= 0 && missing > 0; at -= 1) {
    const end = pieces[at]?.slice(-missing) ?? new Uint8Array(0);
    last.unshift(end);
    missing -= end.length;
  }
  return Buffer.concat(last);
}
