/** How much of an answer's start is kept: enough for Anthropic's `message_start` and a transcription's `duration`. */
const FIRST_BYTES = 4 * 1024;
/** How much of an answer's end is kept. A final `usage` and the fields around it take less than 2 KiB in every known API. */
const LAST_BYTES = 16 * 1024;

/** The text that announces a count, and how much of what follows is kept: more than any such object takes. */
const SOUGHT = '"usage"';
const SOUGHT_BYTES = 4 * 1024;

/**
 * The first and last bytes of an answer that passes by, independent of how it is cut into pieces. Only the ends of a large
 * piece are copied.
 *
 * An answer that is not a stream may state its usage anywhere, for example before the log probabilities of a long prompt.
 * With `seeksUsage` the bytes between the two ends are searched as they pass, natively and without being decoded.
 */
export class AnswerEnds {
  readonly #start: Uint8Array[] = [];
  #startBytes = 0;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  readonly #seeksUsage: boolean;
  /** Bytes that are neither kept nor searched yet. */
  #passed: Uint8Array[] = [];
  #passedBytes = 0;
  /** The end of what was searched, in which a name or an object may have begun. */
  #overlap: Uint8Array = EMPTY;
  #found: Uint8Array = EMPTY;

  constructor(seeksUsage = false) {
    this.#seeksUsage = seeksUsage;
  }

  push(piece: Uint8Array): void {
    // Empty pieces count nothing against the limits, so they would pile up.
    if (piece.length === 0) return;
    if (this.#startBytes < FIRST_BYTES) {
      const room = FIRST_BYTES - this.#startBytes;
      this.#start.push(piece.length <= room ? piece : piece.slice(0, room));
      this.#startBytes += Math.min(piece.length, room);
    }
    if (piece.length > LAST_BYTES) {
      while (this.#pieces.length > 0) this.#drop();
      if (this.#seeksUsage) this.#pass(piece.subarray(0, -LAST_BYTES));
    }
    // A view would keep the whole of a large piece in memory.
    const kept = piece.length > LAST_BYTES ? piece.slice(-LAST_BYTES) : piece;
    this.#pieces.push(kept);
    this.#bytes += kept.length;
    while (this.#bytes - (this.#pieces[0]?.length ?? 0) >= LAST_BYTES) this.#drop();
  }

  /** The first 4 KiB. */
  get first(): string {
    return decode(join(this.#start));
  }

  /** The last 16 KiB. */
  get last(): string {
    return decode(join(this.#pieces).subarray(-LAST_BYTES));
  }

  /** The last text between the two ends that may state a usage; empty if there is none, or if it is not sought. */
  get sought(): string {
    // What began just before the last bytes continues in them.
    if (this.#passed.length > 0) this.#search(Buffer.concat([...this.#passed, ...this.#pieces]));
    else if (this.#overlap.length > 0) this.#search(join(this.#pieces));
    this.#passed = [];
    return decode(this.#found);
  }

  #drop(): void {
    const dropped = this.#pieces.shift() ?? EMPTY;
    this.#bytes -= dropped.length;
    if (this.#seeksUsage) this.#pass(dropped);
  }

  /** Gathers what is not kept, so that many small pieces cost no search each. */
  #pass(bytes: Uint8Array): void {
    this.#passed.push(bytes);
    this.#passedBytes += bytes.length;
    if (this.#passedBytes < LAST_BYTES) return;
    this.#search(join(this.#passed));
    this.#passed = [];
    this.#passedBytes = 0;
  }

  #search(bytes: Uint8Array): void {
    const text = Buffer.concat([this.#overlap, bytes]);
    const at = text.lastIndexOf(SOUGHT);
    // Copies, because a view would keep the whole of a large piece in memory.
    if (at >= 0) this.#found = Uint8Array.from(text.subarray(at, at + SOUGHT_BYTES));
    this.#overlap = Uint8Array.from(text.subarray(-SOUGHT_BYTES));
  }
}

const EMPTY = new Uint8Array(0);

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const [only, second] = pieces;
  return only && !second ? only : Buffer.concat(pieces);
}

/** Decodes bytes that may be cut inside a character. Such a character becomes a mark, which no number contains. */
function decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder();
