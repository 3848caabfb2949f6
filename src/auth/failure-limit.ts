import type { Clock } from "../system/deps.ts";
import { setNewest } from "../system/newest.ts";

const WINDOW_MS = 60_000;

/**
 * The most addresses that are remembered, in about 2 MB. Beyond it the oldest is forgotten, so a flood cannot fill
 * memory.
 */
const MAX_ADDRESSES = 10_000;

/** The wrong keys that clients send to the other servers of a cluster. */
export interface FailuresElsewhere {
  /**
   * Returns the name by which servers tell each other of an address. It is the same on all of them, and does not reveal the
   * address.
   */
  nameOf(address: string): string;
  /** Tells the other servers of wrong keys. */
  tell(name: string, keys: number): void;
  /** Calls `listener` for wrong keys that other servers report. There is one listener. */
  onTold(listener: (name: string, keys: number) => void): void;
}

interface Failures {
  readonly since: number;
  count: number;
}

/**
 * Counts wrong keys per address. A minute begins with the first wrong key. Beyond the limit, further wrong keys are refused
 * until the minute is over.
 */
export class FailureLimit {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #elsewhere: FailuresElsewhere | undefined;
  /** In the order of `since`. */
  readonly #byAddress = new Map<string, Failures>();

  /**
   * `limit` is a number of wrong keys per minute; 0 counts nothing. With `elsewhere`, wrong keys that were sent to other
   * servers count as well.
   */
  constructor(limit: number, clock: Clock, elsewhere?: FailuresElsewhere) {
    this.#limit = limit;
    this.#clock = clock;
    this.#elsewhere = elsewhere;
    elsewhere?.onTold((name, keys) => void this.#add(name, keys));
  }

  /**
   * Counts wrong keys of this address. Returns the whole seconds until its minute is over, 1 to 60, if it was at its limit
   * before; undefined otherwise.
   */
  count(address: string, keys = 1): number | undefined {
    if (this.#limit === 0) return undefined;
    const name = this.#elsewhere?.nameOf(address) ?? address;
    const full = this.#add(name, keys);
    if (!full) {
      this.#elsewhere?.tell(name, keys);
      return undefined;
    }
    const leftMs = full.since + WINDOW_MS - this.#clock.elapsed();
    return Math.max(1, Math.ceil(leftMs / 1000));
  }

  /** Returns whether this address is at its limit, without counting anything. */
  isFull(address: string): boolean {
    this.#forgetOld();
    const failures = this.#byAddress.get(this.#elsewhere?.nameOf(address) ?? address);
    return this.#limit > 0 && failures !== undefined && failures.count >= this.#limit;
  }

  /** Counts wrong keys. If their address is at its limit, returns what is known of the address instead. */
  #add(name: string, keys: number): Failures | undefined {
    this.#forgetOld();
    const failures = this.#byAddress.get(name);
    if (!failures) {
      setNewest(this.#byAddress, name, { since: this.#clock.elapsed(), count: keys }, MAX_ADDRESSES);
      return undefined;
    }
    if (failures.count >= this.#limit) return failures;
    failures.count += keys;
    return undefined;
  }

  #forgetOld(): void {
    const oldest = this.#clock.elapsed() - WINDOW_MS;
    for (const [address, { since }] of this.#byAddress) {
      if (since > oldest) return;
      this.#byAddress.delete(address);
    }
  }
}
