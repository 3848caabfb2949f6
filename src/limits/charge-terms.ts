import type { Allowance } from "./allowance.ts";
import type { Calendar } from "./calendar.ts";
import type { Holder } from "./holder.ts";

/** The limits of a key, or those of its tenant. */
export interface ChargePart {
  readonly id: string;
  readonly holder: Holder;
  readonly allowance: Allowance;
}

/** The charge of a request, which follows its key to other limits and to another tenant. */
export interface Follower {
  readonly tenant: string;
  readonly group: string | undefined;
  follow(terms: ChargeTerms): void;
}

/** The requests of a key that are in progress. */
export interface KeyProgress {
  /** The charges that have jobs which wait or run. They follow the key at once when its limits or its tenant change. */
  readonly charges: Set<Follower>;
  /** The number of these changes, and what counts since the last one. */
  changes: number;
  latest: ChargeTerms | undefined;
}

/** What all requests of a key have in common, until limits are set or removed. */
export interface ChargeTerms {
  readonly keyId: string;
  readonly tenant: string;
  /** The limits of the key; undefined if it has none of its own. A request must pass both these and those of the tenant. */
  readonly own: ChargePart | undefined;
  /** The limits that all keys of the tenant share; undefined if it has none. */
  readonly shared: ChargePart | undefined;
  /** Whether its requests wait at a limit of theirs or of their tenant. If not, they are refused. */
  readonly waits: boolean;
  readonly progress: KeyProgress;
  readonly calendar: Calendar;
  readonly clock: { now(): number; elapsed(): number };
  /**
   * Called when limits may allow more or less than before: with the id of those that the request shares with other keys, or that
   * of its key if there are none, and with the id of its key.
   */
  readonly onChange: (id: string, keyId: string) => void;
  /** Called when a key or tenant holds, uses or waits for more or less than before. */
  readonly onUse?: ((id: string) => void) | undefined;
}

/** Returns the limits that a request must pass: none, one or two. */
export function partsOf({ own, shared }: Pick<ChargeTerms, "own" | "shared">): readonly ChargePart[] {
  return [own, shared].filter((part) => part !== undefined);
}
