import type { KeyElsewhere, PeerHolding } from "./elsewhere.ts";
import { type Part, shareOf } from "./share.ts";

/** What other servers have of a limit of a key. `own` is this one. There is at least one part. */
export interface Others {
  readonly own: Pick<Part, "server" | "served">;
  readonly parts: readonly Part[];
}

/** Reads what counts towards one limit, from all that is known of a key at another server. */
export type SharedLimit = (holding: PeerHolding) => Pick<Part, "held" | "wanted">;

export const JOBS: SharedLimit = ({ running, runningWanted }) => ({ held: running, wanted: runningWanted });
export const REQUESTS: SharedLimit = ({ requests, requestsWanted }) => ({ held: requests, wanted: requestsWanted });
export const TOKENS: SharedLimit = ({ tokens, tokensWanted }) => ({ held: tokens, wanted: tokensWanted });

/**
 * Returns what other servers have of a limit; undefined if none of them has anything of the key. `served` returns how many
 * requests this server has admitted within the last minute.
 */
export function othersOf(elsewhere: KeyElsewhere, limit: SharedLimit, served: () => number): Others | undefined {
  const holdings = elsewhere.holdings();
  if (holdings.length === 0) return undefined;
  return {
    own: { server: elsewhere.serverId, served: served() },
    parts: holdings.map((holding) => ({ server: holding.server, served: holding.requests, ...limit(holding) })),
  };
}

/** Returns how much of the limit the other servers hold together. */
export function heldElsewhere(others: Others | undefined): number {
  return others?.parts.reduce((sum, { held }) => sum + held, 0) ?? 0;
}

/** Whether a server that holds so much of a limit may take one more. */
export function mayHoldMore(held: number, max: number, others: Others | undefined): boolean {
  if (held >= max) return false;
  if (!others) return true;
  return held + heldElsewhere(others) < max && held < shareOf(max, others.own, others.parts, { isWhole: true });
}
