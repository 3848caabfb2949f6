/** The fewest bits of a key that nobody can guess, however many guesses a second the server answers. */
const MIN_BITS = 128;

/** Alphabets of which random keys are made, from the smallest on, with their sizes. */
const ALPHABETS: readonly (readonly [RegExp, number])[] = [
  [/^\d+$/, 10],
  [/^[\da-f]+$/i, 16],
  [/^[\da-z]+$|^[\dA-Z]+$/, 36],
  [/^[\da-zA-Z]+$/, 62],
  [/^[\w-]+$|^[\da-zA-Z+/=]+$/, 64],
];
/** The number of visible ASCII characters. */
const ASCII = 94;

/**
 * Returns the bits that a random key of this length and alphabet would have: the length times the logarithm of the size of
 * the smallest alphabet that contains it. It is an upper bound, because the text does not show how it was chosen: a long
 * sentence passes for random.
 */
export function estimatedBits(key: string): number {
  const size = ALPHABETS.find(([pattern]) => pattern.test(key))?.[1] ?? ASCII;
  return key.length * Math.log2(size);
}

/** Returns whether a key has fewer than 128 bits by that estimate. */
export function isWeakKey(key: string): boolean {
  return estimatedBits(key) < MIN_BITS;
}
