import type { Clock } from "../system/deps.ts";

/** A sign-in that was ended before its time. */
export interface SignOut {
  /** The id of the sign-in; not secret. */
  readonly id: string;
  /** When the sign-in would have ended by itself, in milliseconds since 1970. */
  readonly endsAt: number;
}

/** Keeps sign-outs beyond the life of the process. Methods MUST NOT throw if a write fails. */
export interface SignOutRecords {
  /** Returns all records. Called once, before anything else. */
  load(): readonly SignOut[];
  save(signOut: SignOut): void;
  remove(id: string): void;
  /**
   * Calls `onSaved` for sign-outs that other servers have recorded. Called once, after `load`. Absent without other servers.
   */
  watch?(onSaved: (signOut: SignOut) => void): void;
}

export interface SignOutsOptions {
  readonly clock: Clock;
  /** Sign-outs are kept in memory only, unless given. */
  readonly records?: SignOutRecords | undefined;
}

/** How far the clocks of two servers may be apart, in milliseconds. */
export const MAX_CLOCKS_APART_MS = 24 * 60 * 60_000;

/** The most sign-outs that are remembered. Each is remembered for up to 36 hours, so this is one every 13 seconds. */
const MAX_SIGN_OUTS = 10_000;

/**
 * Remembers which sign-ins were ended, until they would have ended by themselves on every server: a sign-in that is over by
 * this server's clock may last on another one, which learns of the sign-out from here or from the shared records. Beyond the
 * limit it ends all sign-ins that are as old as the one that it forgets, so that none becomes valid again.
 */
export class SignOuts {
  readonly #clock: Clock;
  readonly #records: SignOutRecords | undefined;
  readonly #ends = new Map<string, number>();
  /** All sign-ins that would end by then are ended. */
  #allUntil = 0;
  #onAdded: (signOut: SignOut) => void = () => {};

  constructor({ clock, records }: SignOutsOptions) {
    this.#clock = clock;
    this.#records = records;
    for (const signOut of records?.load() ?? []) this.#put(signOut);
    this.#trim();
    records?.watch?.((signOut) => {
      this.#put(signOut);
      this.#trim();
    });
  }

  /** Calls `listener` with each sign-in that is ended on this server from now on. */
  onAdded(listener: (signOut: SignOut) => void): void {
    this.#onAdded = listener;
  }

  /** Ends a sign-in that was ended here. */
  add(signOut: SignOut): void {
    if (this.accept(signOut)) this.#onAdded(signOut);
  }

  /** Ends a sign-in that was ended on another server. Returns false for one that has ended already on every server. */
  accept(signOut: SignOut): boolean {
    if (this.has(signOut) || this.#isOverEverywhere(signOut.endsAt)) return false;
    this.#put(signOut);
    this.#records?.save(signOut);
    this.#trim();
    return true;
  }

  has({ id, endsAt }: SignOut): boolean {
    return endsAt <= this.#allUntil || this.#ends.has(id);
  }

  all(): readonly SignOut[] {
    return Array.from(this.#ends, ([id, endsAt]) => ({ id, endsAt }));
  }

  #put({ id, endsAt }: SignOut): void {
    this.#ends.set(id, endsAt);
  }

  /** Forgets the sign-outs of sign-ins that are over, and those past the limit, the oldest sign-ins first. */
  #trim(): void {
    for (const [id, endsAt] of this.#ends) if (this.#isOverEverywhere(endsAt)) this.#forget(id);
    if (this.#ends.size <= MAX_SIGN_OUTS) return;
    // It removes a tenth at once, so that it rarely sorts.
    const oldest = [...this.#ends].sort(([, a], [, b]) => a - b).slice(0, this.#ends.size - MAX_SIGN_OUTS * 0.9);
    for (const [id, endsAt] of oldest) {
      this.#allUntil = Math.max(this.#allUntil, endsAt);
      this.#forget(id);
    }
  }

  #isOverEverywhere(endsAt: number): boolean {
    return endsAt + MAX_CLOCKS_APART_MS <= this.#clock.now();
  }

  #forget(id: string): void {
    this.#ends.delete(id);
    this.#records?.remove(id);
  }
}
