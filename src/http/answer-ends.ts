/** The start of an answer that is kept. Anthropic's `message_start` and the `duration` of a transcription stand in it. */
const FIRST_BYTES = 4 * 1024;
/** The end that is kept: a final `usage` with the fields around it is well below 2 KiB in all that is known. */
const LAST_BYTES = 16 * 1024;

/** The first and the last bytes of an answer that is only passed by. Taking a piece costs no search and no copy. */
export class AnswerEnds {
  #first: Uint8Array | undefined;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  push(piece: Uint8Array): void {
    this.#first ??= piece.length <= FIRST_BYTES ? piece : piece.slice(0, FIRST_BYTES);
    // A large piece would be pinned whole for its last bytes.
    const kept = piece.length > LAST_BYTES ? piece.slice(-LAST_BYTES) : piece;
    this.#pieces.push(kept);
    this.#bytes += kept.length;
    while (this.#bytes - (this.#pieces[0]?.length ?? 0) >= LAST_BYTES) this.#bytes -= this.#pieces.shift()?.length ?? 0;
  }

  /** The first piece, up to 4 KiB of it. */
  get first(): string {
    return this.#first ? decode(this.#first) : "";
  }

  /** At least the last 16 KiB. */
  get last(): string {
    const [only, second] = this.#pieces;
    return decode(only && !second ? only : Buffer.concat(this.#pieces));
  }
}

/** Bytes that were cut anywhere: what is not a whole character becomes a mark, which no number contains. */
function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder();
