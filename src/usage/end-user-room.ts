import { OTHER } from "./live-cells.ts";
import { periodOf } from "./usage-records.ts";

/** The most end users of one key that are counted one by one on a day. */
export const MAX_END_USERS = 1000;
/** The same for all keys together. */
const MAX_TOTAL = 100_000;

/**
 * Bounds the number of end users, whose names clients choose, because the sums of days are kept forever. Counting starts
 * over each day, and when the server starts.
 */
export class EndUserRoom {
  readonly #byKey = new Map<string, Set<string>>();
  #day = 0;
  #total = 0;

  /** Returns the name under which an end user is counted: its own, or `OTHER` if the key has too many on this day. */
  nameOf(key: string, endUser: string, now: number): string {
    const day = periodOf(now, "day");
    if (day !== this.#day) {
      this.#day = day;
      this.#byKey.clear();
      this.#total = 0;
    }
    let known = this.#byKey.get(key);
    if (known?.has(endUser)) return endUser;
    if (this.#total >= MAX_TOTAL || (known && known.size >= MAX_END_USERS)) return OTHER;
    if (!known) {
      known = new Set();
      this.#byKey.set(key, known);
    }
    known.add(endUser);
    this.#total += 1;
    return endUser;
  }
}
