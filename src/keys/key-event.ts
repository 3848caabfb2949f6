import type { KeyEntry } from "./key-entry.ts";

/**
 * A change of a key, after which `entry` is current. A key of `KEYS_FILE` that was taken out of it is `removed`, and so is a
 * created one that is kept no longer.
 */
export interface KeyEvent {
  readonly kind: "created" | "changed" | "rotated" | "revoked" | "removed";
  readonly entry: KeyEntry;
  /** Undefined for a key that is new here. */
  readonly before: KeyEntry | undefined;
  /** Whether the key is the first one of its kind, which shuts a door that may have been open. */
  readonly isFirst: boolean;
}
