const NEWLINE = 10;
const RETURN = 13;
const COLON = 58;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/** What becomes of the data of an event: another text, the same, or nothing. */
export type Rewrite = (data: string) => string | "same" | "none";

/**
 * Rewrites the data of server-sent events that arrive in pieces. An event whose data stay the same passes with its very
 * bytes, and so do comments. Other fields always stay, so a stream can be resumed after an event whose data are gone.
 */
export class SseRewriter {
  readonly #rewrite: Rewrite;
  /** The bytes of the event that has not ended. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Whether the last byte ended a line. */
  #isLineStart = true;
  /** Whether the last byte was a carriage return, whose line feed may still come. */
  #isAfterReturn = false;
  /** Whether what is pending is one comment line. */
  #isComment = false;
  #isFirst = true;

  constructor(rewrite: Rewrite) {
    this.#rewrite = rewrite;
  }

  /** How many bytes are held back until their event ends. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Takes bytes, and returns those that may go on. */
  push(bytes: Uint8Array): Uint8Array {
    const out: Uint8Array[] = [];
    let from = 0;
    let at = 0;
    if (this.#isAfterReturn && bytes[0] === NEWLINE) {
      at = 1;
      // The event that it ends has gone on already.
      if (this.#pendingBytes === 0) {
        out.push(bytes.subarray(0, 1));
        from = 1;
      }
    }
    if (bytes.length > 0) this.#isAfterReturn = false;
    const endOfLine = lineEnds(bytes);
    while (at < bytes.length) {
      if (this.#isLineStart && this.#pendingBytes === 0 && at === from) this.#isComment = bytes[at] === COLON;
      const end = endOfLine(at);
      if (end === -1) {
        this.#isLineStart = false;
        break;
      }
      const isBlank = this.#isLineStart && end === at;
      const next = end + (bytes[end] === RETURN && bytes[end + 1] === NEWLINE ? 2 : 1);
      this.#isAfterReturn = bytes[end] === RETURN && next === bytes.length && next === end + 1;
      this.#isLineStart = true;
      if (isBlank || this.#isComment) {
        this.#hold(bytes.subarray(from, next));
        out.push(this.#flush());
        from = next;
      }
      at = next;
    }
    this.#hold(bytes.subarray(from));
    return out.length === 1 && out[0] ? out[0] : Buffer.concat(out);
  }

  /** Returns what is left at the end. Some programs take an event whose blank line is missing. */
  end(): Uint8Array {
    return this.#flush();
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  #flush(): Uint8Array {
    const event = this.#pending.length === 1 && this.#pending[0] ? this.#pending[0] : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    const isComment = this.#isComment;
    this.#isComment = false;
    if (event.length === 0 || isComment) return event;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    return this.#toRewritten(event, isFirst);
  }

  #toRewritten(event: Uint8Array, isFirst: boolean): Uint8Array {
    // Readers ignore a byte order mark before the first event only.
    const text = new TextDecoder("utf-8", { ignoreBOM: !isFirst }).decode(event);
    const lines = text.split(/\r\n|\r|\n/);
    const data = lines.flatMap((line) => dataIn(line) ?? []);
    if (data.length === 0) return event;
    const becomes = this.#rewrite(data.join("\n"));
    if (becomes === "same") return event;
    const others = lines.filter((line) => line !== "" && dataIn(line) === undefined);
    if (becomes === "none" && others.length === 0) return EMPTY;
    const kept = becomes === "none" ? others : [...others, `data: ${becomes}`];
    return encoder.encode(`${kept.join("\n")}\n\n`);
  }
}

/**
 * Returns a function that finds the next byte which ends a line, from a position that never decreases; -1 for none. However
 * the ends are mixed, it searches each byte once for either.
 */
function lineEnds(bytes: Uint8Array): (from: number) => number {
  let newline = -1;
  let carriageReturn = -1;
  const next = (byte: number, from: number): number => {
    const at = bytes.indexOf(byte, from);
    return at === -1 ? bytes.length : at;
  };
  return (from) => {
    if (newline < from) newline = next(NEWLINE, from);
    if (carriageReturn < from) carriageReturn = next(RETURN, from);
    const first = Math.min(newline, carriageReturn);
    return first === bytes.length ? -1 : first;
  };
}

/** The value of a data line; undefined for any other line. */
function dataIn(line: string): string | undefined {
  if (line === "data") return "";
  if (!line.startsWith("data:")) return undefined;
  return line.startsWith(" ", 5) ? line.slice(6) : line.slice(5);
}
