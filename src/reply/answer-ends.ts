/** How much of an answer's start is kept: enough for Anthropic's `message_start` and a transcription's `duration`. */
const FIRST_BYTES = 4 * 1024;
/** How much of an answer's end is kept. A final `usage` and the fields around it take less than 2 KiB in every known API. */
const LAST_BYTES = 16 * 1024;

/**
 * The first and last bytes of an answer that passes by, independent of how it is cut into pieces. A piece is not searched,
 * and only the ends of a large one are copied.
 */
export class AnswerEnds {
  readonly #start: Uint8Array[] = [];
  #startBytes = 0;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;

  push(piece: Uint8Array): void {
    // Empty pieces count nothing against the limits, so they would pile up.
    if (piece.length === 0) return;
    if (this.#startBytes < FIRST_BYTES) {
      const room = FIRST_BYTES - this.#startBytes;
      this.#start.push(piece.length <= room ? piece : piece.slice(0, room));
      this.#startBytes += Math.min(piece.length, room);
    }
    // A view would keep the whole of a large piece in memory.
    const kept = piece.length > LAST_BYTES ? piece.slice(-LAST_BYTES) : piece;
    this.#pieces.push(kept);
    this.#bytes += kept.length;
    while (this.#bytes - (this.#pieces[0]?.length ?? 0) >= LAST_BYTES) this.#bytes -= this.#pieces.shift()?.length ?? 0;
  }

  /** The first 4 KiB. */
  get first(): string {
    return decode(join(this.#start));
  }

  /** The last 16 KiB. */
  get last(): string {
    return decode(join(this.#pieces).subarray(-LAST_BYTES));
  }
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const [only, second] = pieces;
  return only && !second ? only : Buffer.concat(pieces);
}

/** Decodes bytes that may be cut inside a character. Such a character becomes a mark, which no number contains. */
function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder();
