import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { Clock } from "../system/deps.ts";
import type { AuthSurface } from "./caller.ts";
import { FailureLimit } from "./failure-limit.ts";

export interface RefusalsOptions {
  readonly clock: Clock;
  /** Wrong keys that one address may give within a minute; 0 sets no limit. */
  readonly maxPerMinute: number;
  /** The address that a visit is counted under. */
  readonly bucketOf: (visit: Visit) => string;
  /** Hears of every request that is turned away, for metrics. */
  readonly onFailure: (surface: AuthSurface) => void;
}

/**
 * Requests that are turned away for their credentials. Wrong keys count against their address; a missing key does not,
 * since nothing can be guessed by giving none, and one forgetful client must not shut out everybody behind its router.
 */
export class Refusals {
  readonly #failures: FailureLimit;
  readonly #bucketOf: (visit: Visit) => string;
  readonly #onFailure: (surface: AuthSurface) => void;

  constructor({ clock, maxPerMinute, bucketOf, onFailure }: RefusalsOptions) {
    this.#failures = new FailureLimit(maxPerMinute, clock);
    this.#bucketOf = bucketOf;
    this.#onFailure = onFailure;
  }

  /**
   * Throws `too_many_auth_failures` while the visit's address has used up its wrong keys. It MUST be called before a key is
   * looked at: guessing is slow only as long as a right guess cannot be told from a wrong one.
   */
  assertMayTry(visit: Visit, surface: AuthSurface): void {
    // While nobody has failed, no address need be looked up.
    if (!this.#failures.hasFailures()) return;
    const retryAfterS = this.#failures.retryAfterS(this.#bucketOf(visit));
    if (retryAfterS === undefined) return;
    this.#onFailure(surface);
    throw new Fault("too_many_auth_failures", { retryAfterS });
  }

  /** Counts a request that is turned away, and its wrong key where it gave one; returns the fault to throw. */
  refuse(
    visit: Visit,
    surface: AuthSurface,
    { isGuess, message }: { readonly isGuess: boolean; readonly message?: string | undefined },
  ): Fault {
    this.#onFailure(surface);
    if (isGuess) this.#failures.count(this.#bucketOf(visit));
    const words = message === undefined ? {} : { message };
    return new Fault("invalid_api_key", { ...words, headers: { "www-authenticate": "Bearer" } });
  }

  /** Whether this address has used up its wrong keys. */
  isBlocked(bucket: string): boolean {
    return this.#failures.retryAfterS(bucket) !== undefined;
  }

  /** Counts a worker that is turned away; `guessedFrom` is its address where it gave a wrong key. */
  refuseWorker(guessedFrom?: string): void {
    this.#onFailure("worker");
    if (guessedFrom !== undefined) this.#failures.count(guessedFrom);
  }
}
