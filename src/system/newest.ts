/** Deletes the entries that were added first until no more than `most` are left. Setting a key again does not add it again. */
export function keepNewest<K>(entries: Map<K, unknown>, most: number): void {
  if (entries.size <= most) return;
  for (const key of entries.keys()) {
    entries.delete(key);
    if (entries.size <= most) return;
  }
}

/** Sets an entry as the newest, whether or not its key was there, and keeps the newest `most`. */
export function setNewest<K, V>(entries: Map<K, V>, key: K, value: V, most: number): void {
  entries.delete(key);
  entries.set(key, value);
  keepNewest(entries, most);
}
