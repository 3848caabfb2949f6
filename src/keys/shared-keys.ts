import type { KeyEntry } from "./key-entry.ts";

/** When and by whom a key was revoked. */
export type Revocation = Pick<KeyEntry, "revokedAt" | "revokedBy">;

/** What a server knows of the keys that all servers of a cluster share. Times are those of `Clock.now`. */
export type KeysStanding =
  /** It hears of each change at once. */
  | { readonly kind: "current" }
  /** No place for keys is shared, so each server has keys of its own. */
  | { readonly kind: "own" }
  /**
   * It hears of no change. Made keys count as they were known until `until`. Before the first reading since the start of the
   * server (`isUnread`), these are the keys of its own copy, if it has one.
   */
  | { readonly kind: "away"; readonly since: number; readonly until: number; readonly isUnread: boolean };

/**
 * How a write to the shared keys ended. `conflict`: another server has changed the key, and its entry was told before this.
 * `unknown`: the connection broke, so the change may have been made or not. `away`: nothing was sent.
 */
export type SharedWrite = "written" | "conflict" | "unknown" | "away";

/** The made keys that all servers of a cluster share, as one server reaches them. */
export interface SharedKeys {
  standing(): KeysStanding;
  /** Writes an entry in place of the one that was told last, on the condition that it is still the current one. Never rejects. */
  write(entry: KeyEntry): Promise<SharedWrite>;
  /** Tells the listener what other servers change. Called once, before the server hears of anything. */
  watch(listener: SharedKeysListener): void;
  /**
   * Calls the listener once it is known which keys there are, if that is not known yet, and once one is heard of that this version
   * cannot read: in both cases, other doors may have to be shut.
   */
  onRead(listener: () => void): void;
}

export interface SharedKeysListener {
  /** A key was made or changed. */
  saved(entry: KeyEntry): void;
  /** A key was made or changed in a way that this version cannot read. If it was revoked, that is told all the same. */
  unreadable(id: string, revocation: Revocation | undefined): void;
  /** A key is kept no longer. */
  removed(id: string): void;
  /** A key was used at another server. */
  used(id: string, at: number): void;
}

/** Whether made keys are kept by a cluster, and not by the store of this server alone. */
export function areShared(shared: Pick<SharedKeys, "standing"> | undefined): boolean {
  return shared !== undefined && shared.standing().kind !== "own";
}
