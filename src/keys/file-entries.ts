import { sortedText } from "./key-changes.ts";
import type { KeyEntry } from "./key-entry.ts";
import { keyHash } from "./key-text.ts";

/** Returns a digest of what `KEYS_FILE` says of its keys, whatever their order; undefined if it lists none. */
export function digestOfFile(entries: readonly KeyEntry[]): string | undefined {
  if (entries.length === 0) return undefined;
  const texts = entries.map((entry) => sortedText({ ...timeless(entry), createdBy: "" }));
  return keyHash(texts.toSorted().join("\n"));
}

/** Whether two entries of the file say the same; when they were read does not count. */
export function isSameInFile(a: KeyEntry, b: KeyEntry): boolean {
  return Bun.deepEquals(timeless(a), timeless(b));
}

/** Returns an entry of the file without the times at which it was read. */
function timeless(entry: KeyEntry): KeyEntry {
  return {
    ...entry,
    createdAt: 0,
    lastUsedAt: 0,
    revision: 0,
    secret: { ...entry.secret, madeAt: 0 },
    former: entry.former.map((each) => ({ ...each, madeAt: 0 })),
  };
}
