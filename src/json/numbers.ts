const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
/** An exponent of three digits may be beyond what a double holds. */
const LONG_EXPONENT_DIGITS = 3;

/**
 * Counts the numbers in the JSON array in `bytes[start, end)`. Undefined if the array is empty, holds anything but JSON
 * numbers (RFC 8259 §6), or one so large that it may not be finite. It allocates nothing: parsing megabytes of vectors only
 * to count them would cost every request the pauses of the garbage collector.
 */
export function countNumbers(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (bytes[start] !== OPEN || bytes[end - 1] !== CLOSE) return undefined;
  let at = start + 1;
  for (let count = 1; ; count += 1) {
    while (isSpace(bytes[at])) at += 1;
    at = endOfNumber(bytes, at);
    if (at < 0) return undefined;
    while (isSpace(bytes[at])) at += 1;
    if (at === end - 1) return count;
    if (bytes[at] !== COMMA) return undefined;
    at += 1;
  }
}

/** The end of the number that begins at `from`; -1 if there is none. */
function endOfNumber(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === MINUS ? from + 1 : from;
  const whole = endOfDigits(bytes, at);
  // No digits, or a leading zero before others.
  if (whole === at || (bytes[at] === ZERO && whole > at + 1)) return -1;
  at = whole;
  if (bytes[at] === DOT) {
    const fraction = endOfDigits(bytes, at + 1);
    if (fraction === at + 1) return -1;
    at = fraction;
  }
  if (((bytes[at] ?? 0) | 0x20) !== 0x65) return at;
  at += 1;
  if (bytes[at] === PLUS || bytes[at] === MINUS) at += 1;
  const exponent = endOfDigits(bytes, at);
  return exponent === at || exponent - at >= LONG_EXPONENT_DIGITS ? -1 : exponent;
}

function endOfDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[at] ?? 0) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
