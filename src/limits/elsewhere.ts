import type { LimitName } from "./limit-names.ts";

/** What a key holds of its limits at one server now, and what waits there for each of them. */
export interface KeyHolding {
  /** Jobs that have a slot. */
  readonly running: number;
  /** Jobs that wait for one because of `parallel`. */
  readonly runningWanted: number;
  /** Requests that were admitted within the last minute. */
  readonly requests: number;
  readonly requestsWanted: number;
  /** Tokens of the last minute, including reserved ones. */
  readonly tokens: number;
  readonly tokensWanted: number;
}

/** The same at another server. */
export interface PeerHolding extends KeyHolding {
  readonly server: string;
}

/** What this server has counted towards a budget within one window. */
export interface OwnSpent {
  readonly budget: LimitName;
  /** The beginning of the window, in milliseconds since 1970. */
  readonly startsAt: number;
  /** What it had counted before its last start, as far as it knows by itself. */
  readonly before: number;
  /** What it has counted since. It only grows. */
  readonly used: number;
}

/** What other servers know of a budget within one window. */
export interface SpentElsewhere {
  /** What this server had counted before its last start. */
  readonly before: number;
  /** What all other servers have counted, including those that are gone. */
  readonly others: number;
}

/** What keys hold and use at this server, for the others. */
export interface KeyUses {
  /** Returns the ids of the keys that have budgets. */
  ids(): Iterable<string>;
  /** Returns what a key holds now; undefined if nothing limits that. */
  holding(keyId: string): KeyHolding | undefined;
  /** Returns what is counted towards each budget of a key now. */
  spent(keyId: string): readonly OwnSpent[];
  /** Called when other servers hold or have used more or less than before. */
  onChange(keyId: string): void;
}

/** What keys hold and use at the other servers of a cluster, for limits that hold over all of them. */
export interface KeysElsewhere {
  readonly serverId: string;
  /** Sets what is told to the others. Called once. */
  tell(uses: KeyUses): void;
  /** Notes that what a key holds or uses here has changed. It is told a moment later. MUST be quick. */
  changed(keyId: string): void;
  holdings(keyId: string): readonly PeerHolding[];
  spent(keyId: string, budget: LimitName, startsAt: number): SpentElsewhere;
}

/** What one key holds and uses at the other servers. */
export interface KeyElsewhere {
  readonly serverId: string;
  holdings(): readonly PeerHolding[];
  spent(budget: LimitName, startsAt: number): SpentElsewhere;
}
