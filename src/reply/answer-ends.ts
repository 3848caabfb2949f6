/** The start of an answer that is kept. Anthropic's `message_start` and the `duration` of a transcription stand in it. */
const FIRST_BYTES = 4 * 1024;
/** The end that is kept: a final `usage` with the fields around it is well below 2 KiB in all that is known. */
const LAST_BYTES = 16 * 1024;

/**
 * The first and the last bytes of an answer that is only passed by, the same however it is cut into pieces. Taking a piece
 * costs no search, and no copy but of a large piece's ends.
 */
export class AnswerEnds {
  readonly #start: Uint8Array[] = [];
  #startBytes = 0;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;

  push(piece: Uint8Array): void {
    // Empty ones cost no bytes of the limits, and would pile up.
    if (piece.length === 0) return;
    if (this.#startBytes < FIRST_BYTES) {
      const room = FIRST_BYTES - this.#startBytes;
      this.#start.push(piece.length <= room ? piece : piece.slice(0, room));
      this.#startBytes += Math.min(piece.length, room);
    }
    // A large piece would be pinned whole for its last bytes.
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

/** Bytes that were cut anywhere: what is not a whole character becomes a mark, which no number contains. */
function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder();
