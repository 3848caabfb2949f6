/** How long the load favours one server. */
export const LEAN_MS = 10_000;

/** How many times as much of the load the favoured server gets as any other. */
const LEAN = 4;

/** Returns the weight of each of `count` servers at this time. The load favours one server after the other. */
export function weightsAt(elapsedMs: number, count: number): number[] {
  const favoured = Math.floor(elapsedMs / LEAN_MS) % count;
  return Array.from({ length: count }, (_, at) => (at === favoured ? LEAN : 1));
}

/** Picks an index with a probability in proportion to its weight. `random` is in [0, 1). Undefined if all weights are 0. */
export function pickByWeight(weights: readonly number[], random: number): number | undefined {
  let left = random * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [at, weight] of weights.entries()) {
    if (left < weight) return at;
    left -= weight;
  }
  return undefined;
}
