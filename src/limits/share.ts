/** What one server has of a limit that several servers keep together. */
export interface Part {
  readonly server: string;
  /** What counts towards the limit there now. */
  readonly held: number;
  /** What waits there for this limit. */
  readonly wanted: number;
  /** The requests of the key that were admitted there within the last minute. */
  readonly served: number;
}

/**
 * Returns how much of a limit a server may hold that wants more than it has. Each other server keeps what it holds and wants,
 * up to an equal share; what one of them leaves is divided among the rest. Where whole numbers are wanted, those that have
 * admitted the fewest requests get the remainder, so that even a limit of 1 passes from server to server. All servers that
 * know the same come to shares whose sum is the limit.
 */
export function shareOf(
  max: number,
  own: Pick<Part, "server" | "served">,
  others: readonly Part[],
  { isWhole }: { readonly isWhole: boolean },
): number {
  const byDemand = others.map((part) => ({ part, demand: part.held + part.wanted }));
  byDemand.sort((a, b) => a.demand - b.demand);
  let left = max;
  let sharers = byDemand.length + 1;
  let satisfied = 0;
  for (const { demand } of byDemand) {
    if (demand * sharers > left) break;
    left -= demand;
    sharers -= 1;
    satisfied += 1;
  }
  if (!isWhole) return left / sharers;
  const share = Math.floor(left / sharers);
  const before = byDemand.slice(satisfied).filter(({ part }) => isBefore(part, own)).length;
  return before < left - share * sharers ? share + 1 : share;
}

function isBefore(a: Pick<Part, "server" | "served">, b: Pick<Part, "server" | "served">): boolean {
  return a.served < b.served || (a.served === b.served && a.server < b.server);
}
