/** The place of a value in JSON bytes: `start` is its first byte, `end` the one after its last. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const MINUS = 0x2d;

/**
 * The members of the object that begins at `at`, after any white space: each decoded key with the range of its value. The
 * last of several equal keys counts, as in `JSON.parse`. Undefined if the bytes are not an object.
 * The scan finds the ends of values and does not check their contents; use `JSON.parse` on a range for that.
 */
export function membersOf(bytes: Uint8Array, at = 0): ReadonlyMap<string, Range> | undefined {
  const members = new Map<string, Range>();
  return scanMembers(bytes, at, members) ? members : undefined;
}

/**
 * As `membersOf`, but undefined also for an object with equal keys, of which another parser may count the first one, and for
 * one with more members than `most`.
 */
export function uniqueMembersOf(bytes: Uint8Array, at: number, most: number): ReadonlyMap<string, Range> | undefined {
  const members = new Map<string, Range>();
  return scanMembers(bytes, at, members, most) ? members : undefined;
}

/**
 * The members of an object whose bytes may end in its middle, as far as they are there. The range of a container that is cut
 * off ends with the bytes; any other value that may be cut off is left out. Undefined if the bytes begin no object.
 */
export function leadingMembersOf(bytes: Uint8Array, at = 0): ReadonlyMap<string, Range> | undefined {
  const members = new Map<string, Range>();
  if (bytes[skipSpace(bytes, at)] !== OPEN_OBJECT) return undefined;
  if (scanMembers(bytes, at, members)) return members;
  // Where the bytes end, nothing tells a whole number from the beginning of one.
  for (const [name, { start, end }] of members) {
    if (end === bytes.length && bytes[start] !== OPEN_OBJECT && bytes[start] !== OPEN_ARRAY) members.delete(name);
  }
  return members;
}

/**
 * Adds the members of an object to `members`. Returns false if the bytes stop being an object, or end. With `mostUnique`, also
 * if the object has two equal keys, or more members than that.
 */
function scanMembers(bytes: Uint8Array, at: number, members: Map<string, Range>, mostUnique?: number): boolean {
  const ahead = new Ahead(bytes);
  let position = skipSpace(bytes, at);
  if (bytes[position] !== OPEN_OBJECT) return false;
  position = skipSpace(bytes, position + 1);
  if (bytes[position] === CLOSE_OBJECT) return true;
  for (;;) {
    const keyEnd = bytes[position] === QUOTE ? endOfString(bytes, position) : -1;
    const key = keyEnd < 0 ? undefined : decodeKey(bytes, position, keyEnd);
    if (key === undefined) return false;
    position = skipSpace(bytes, keyEnd);
    if (bytes[position] !== COLON) return false;
    const start = skipSpace(bytes, position + 1);
    const end = endOfValue(bytes, start, ahead);
    const isEqual = members.delete(key);
    if (mostUnique !== undefined && (isEqual || members.size >= mostUnique)) return false;
    if (start < bytes.length) members.set(key, { start, end: end < 0 ? bytes.length : end });
    if (end < 0) return false;
    position = skipSpace(bytes, end);
    if (bytes[position] === CLOSE_OBJECT) return true;
    if (bytes[position] !== COMMA) return false;
    position = skipSpace(bytes, position + 1);
  }
}

/**
 * The items of the array that begins at `at`, in order. Ends early, with a last item of undefined, if the bytes are
 * not an array.
 */
export function* itemsOf(bytes: Uint8Array, at: number): Generator<Range | undefined, void> {
  if (bytes[at] !== OPEN_ARRAY) return yield undefined;
  const ahead = new Ahead(bytes);
  let position = skipSpace(bytes, at + 1);
  if (bytes[position] === CLOSE_ARRAY) return;
  for (;;) {
    const end = endOfValue(bytes, position, ahead);
    if (end < 0) return yield undefined;
    yield { start: position, end };
    position = skipSpace(bytes, end);
    if (bytes[position] === CLOSE_ARRAY) return;
    if (bytes[position] !== COMMA) return yield undefined;
    position = skipSpace(bytes, position + 1);
  }
}

/** The end of the value that begins at `at`; -1 if it has none. Does not recurse, so nesting costs no stack. */
function endOfValue(bytes: Uint8Array, at: number, ahead: Ahead): number {
  const first = bytes[at];
  if (first === QUOTE) return endOfString(bytes, at);
  if (first === OPEN_ARRAY || first === OPEN_OBJECT) return endOfContainer(bytes, at, ahead);
  let end = at;
  // A number or a literal ends at white space or at a structural character.
  while (end < bytes.length && isScalarByte(bytes[end] ?? 0)) end += 1;
  return end > at ? end : -1;
}

function endOfContainer(bytes: Uint8Array, at: number, ahead: Ahead): number {
  let depth = 0;
  let position = at;
  while (position < bytes.length) {
    const byte = bytes[position];
    if (byte === QUOTE) {
      position = endOfString(bytes, position);
      if (position < 0) return -1;
      continue;
    }
    if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      const end = byte === OPEN_ARRAY ? endOfNumbers(bytes, position, ahead) : -1;
      if (end < 0) depth += 1;
      else {
        position = end;
        if (depth === 0) return position;
        continue;
      }
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
      depth -= 1;
      if (depth === 0) return position + 1;
    }
    position += 1;
  }
  return -1;
}

/**
 * The end of an array that holds only numbers; -1 for any other array. It covers tens of thousands of bytes at the speed of
 * a native search, which makes it cheap to scan megabytes of vectors.
 */
function endOfNumbers(bytes: Uint8Array, at: number, ahead: Ahead): number {
  const first = bytes[skipSpace(bytes, at + 1)] ?? 0;
  if (first !== MINUS && (first < 0x30 || first > 0x39)) return -1;
  const close = ahead.next(CLOSE_ARRAY, at + 1);
  if (close === Number.POSITIVE_INFINITY) return -1;
  const isPlain =
    ahead.next(OPEN_ARRAY, at + 1) > close &&
    ahead.next(QUOTE, at + 1) > close &&
    ahead.next(OPEN_OBJECT, at + 1) > close;
  return isPlain ? close + 1 : -1;
}

/**
 * Finds the next position of a byte. Each result is valid until the scan has passed it, so all searches of one scan
 * together read the bytes once per searched byte, however the brackets are nested.
 */
class Ahead {
  readonly #bytes: Uint8Array;
  readonly #found = new Map<number, number>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The first position of `byte` at or after `from`; Infinity if there is none. `from` MUST NOT decrease during a scan. */
  next(byte: number, from: number): number {
    const known = this.#found.get(byte);
    if (known !== undefined && known >= from) return known;
    const at = this.#bytes.indexOf(byte, from);
    const position = at < 0 ? Number.POSITIVE_INFINITY : at;
    this.#found.set(byte, position);
    return position;
  }
}

function endOfString(bytes: Uint8Array, at: number): number {
  for (let quote = bytes.indexOf(QUOTE, at + 1); quote >= 0; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let before = quote - 1;
    while (bytes[before] === BACKSLASH && before > at) before -= 1;
    // An even number of backslashes escape each other, not the quote.
    if ((quote - 1 - before) % 2 === 0) return quote + 1;
  }
  return -1;
}

/** The longest key that is read byte by byte. */
const MAX_SHORT = 64;
const decoder = new TextDecoder();

function decodeKey(bytes: Uint8Array, start: number, end: number): string | undefined {
  const short = end - start <= MAX_SHORT ? shortKey(bytes, start, end) : undefined;
  if (short !== undefined) return short;
  try {
    const key: unknown = JSON.parse(decoder.decode(bytes.subarray(start, end)));
    return typeof key === "string" ? key : undefined;
  } catch {
    return undefined; // An invalid escape: the caller then reports that the bytes are not an object.
  }
}

/** Reads a key that is plain ASCII, as nearly all are; undefined for any other. It costs a tenth of what decoding and parsing do. */
function shortKey(bytes: Uint8Array, start: number, end: number): string | undefined {
  let key = "";
  for (let at = start + 1; at < end - 1; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return undefined;
    key += String.fromCharCode(byte);
  }
  return key;
}

function skipSpace(bytes: Uint8Array, at: number): number {
  let position = at;
  while (isSpace(bytes[position])) position += 1;
  return position;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isScalarByte(byte: number): boolean {
  return (
    !isSpace(byte) &&
    byte !== COMMA &&
    byte !== COLON &&
    byte !== QUOTE &&
    byte !== CLOSE_ARRAY &&
    byte !== CLOSE_OBJECT &&
    byte !== OPEN_ARRAY &&
    byte !== OPEN_OBJECT
  );
}
