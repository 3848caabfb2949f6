import { LastBytes } from "./last-bytes.ts";

/** How much of an answer's start is kept: enough for Anthropic's `message_start` and a transcription's `duration`. */
const FIRST_BYTES = 4 * 1024;
/** How many bytes that are not kept are searched at a time. */
const SEARCHED_BYTES = 16 * 1024;

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
  readonly #last: LastBytes;
  /** Bytes that are neither kept nor searched yet. */
  #passed: Uint8Array[] = [];
  #passedBytes = 0;
  /** The end of what was searched, in which a name or an object may have begun. */
  #overlap: Uint8Array = EMPTY;
  #found: Uint8Array = EMPTY;

  constructor(seeksUsage = false) {
    this.#last = new LastBytes(seeksUsage ? (bytes) => this.#pass(bytes) : undefined);
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    if (this.#startBytes < FIRST_BYTES) {
      const room = FIRST_BYTES - this.#startBytes;
      // A view would keep the whole of a large piece in memory.
      this.#start.push(piece.length <= room ? piece : Uint8Array.from(piece.subarray(0, room)));
      this.#startBytes += Math.min(piece.length, room);
    }
    this.#last.push(piece);
  }

  /** The first 4 KiB. */
  get first(): string {
    return decode(join(this.#start));
  }

  /** The last 16 KiB. */
  get last(): string {
    return decode(this.#last.bytes);
  }

  /** The last text between the two ends that may state a usage; empty if there is none, or if it is not sought. */
  get sought(): string {
    // What began just before the last bytes continues in them.
    if (this.#passed.length > 0) this.#search(Buffer.concat([...this.#passed, this.#last.kept]));
    else if (this.#overlap.length > 0) this.#search(this.#last.kept);
    this.#passed = [];
    return decode(this.#found);
  }

  /** Gathers what is not kept, so that many small pieces cost no search each. */
  #pass(bytes: Uint8Array): void {
    this.#passed.push(bytes);
    this.#passedBytes += bytes.length;
    if (this.#passedBytes < SEARCHED_BYTES) return;
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
