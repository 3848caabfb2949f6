/** How often in a row something is added to what other servers write to one record. */
const MAX_IN_A_ROW = 20;

/**
 * Bounds how often a server adds what it knows to a record that others have changed. Two servers of different versions may join
 * records differently, and each of them would rewrite for ever what the other one has written.
 */
export class Rewrites {
  readonly #inARow = new Map<string, number>();

  /** Notes a change of another server. `isNeeded`: something has to be added to it. Returns whether that may be written. */
  allow(key: string, isNeeded: boolean): boolean {
    if (!isNeeded) {
      this.#inARow.delete(key);
      return false;
    }
    const times = (this.#inARow.get(key) ?? 0) + 1;
    this.#inARow.set(key, times);
    return times <= MAX_IN_A_ROW;
  }
}
