const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** Two characters for each 12 bits, in the order of the machine's memory. */
const PAIRS = createPairs();

/**
 * A text that contains one long piece of base64. The bytes are encoded as they arrive, into memory that is sent as it is: a
 * JavaScript string of the same text would cost another copy.
 */
export class Base64Text {
  #pairs: Uint16Array<ArrayBuffer>;
  /** Pairs of characters written. */
  #length: number;
  /** Up to two bytes that wait for the third of their group. */
  readonly #rest: number[] = [];

  /** `prefix` MUST be ASCII with an even number of characters. `expectedBytes` is a guess at the bytes to encode. */
  constructor(prefix: string, expectedBytes: number) {
    this.#pairs = new Uint16Array(prefix.length / 2 + pairsFor(expectedBytes));
    this.#length = prefix.length / 2;
    Buffer.from(this.#pairs.buffer).write(prefix, "latin1");
  }

  /** Bytes of the text so far. */
  get bytes(): number {
    return this.#length * 2;
  }

  /** Encodes the next bytes and keeps none of them. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (this.#rest.length > 0 && this.#rest.length < 3 && at < bytes.length) this.#rest.push(bytes[at++] ?? 0);
    this.#reserve(pairsFor(bytes.length + 3));
    if (this.#rest.length === 3) this.#encode(Uint8Array.from(this.#rest.splice(0)), 0, 3);
    const whole = at + Math.floor((bytes.length - at) / 3) * 3;
    this.#encode(bytes, at, whole);
    for (let index = whole; index < bytes.length; index += 1) this.#rest.push(bytes[index] ?? 0);
  }

  /** Ends the base64, appends a text, and returns the whole. Nothing may be pushed after that. */
  finish(suffix: string): Uint8Array {
    const end = Buffer.from(Buffer.from(this.#rest).toString("base64") + suffix);
    this.#reserve(Math.ceil(end.length / 2));
    const text = new Uint8Array(this.#pairs.buffer);
    text.set(end, this.bytes);
    return text.subarray(0, this.bytes + end.length);
  }

  #encode(bytes: Uint8Array, from: number, to: number): void {
    // Locals, because a field that is read for every three bytes doubles the time.
    const pairs = this.#pairs;
    let length = this.#length;
    for (let at = from; at < to; at += 3) {
      // The casts are true because every index is below the length. A check for each would cost as much as the work.
      const group = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
      pairs[length] = PAIRS[group >> 12] as number;
      pairs[length + 1] = PAIRS[group & 0xfff] as number;
      length += 2;
    }
    this.#length = length;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#pairs.length) return;
    const grown = new Uint16Array(Math.max(needed, this.#pairs.length * 2));
    grown.set(this.#pairs.subarray(0, this.#length));
    this.#pairs = grown;
  }
}

/** Returns how many pairs of characters so many bytes become. */
function pairsFor(bytes: number): number {
  return 2 * Math.ceil(bytes / 3);
}

function createPairs(): Uint16Array {
  const text = Array.from({ length: 4096 }, (_, bits) => (ALPHABET[bits >> 6] ?? "") + (ALPHABET[bits & 63] ?? ""));
  return new Uint16Array(new Uint8Array(Buffer.from(text.join(""), "latin1")).buffer);
}
