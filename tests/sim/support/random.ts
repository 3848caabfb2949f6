/** Returns a source of numbers from 0 to below 1 that is the same for the same seed: Mulberry32. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The least and the greatest of the values from which one is drawn. */
export type Range = readonly [number, number];

/** Draws a whole number of a range, each with the same probability. */
export function draw(random: () => number, [low, high]: Range): number {
  return Math.round(low + random() * (high - low));
}
