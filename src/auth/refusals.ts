import { Fault } from "../errors.ts";
import type { Visit } from "../http/visit.ts";
import type { Clock } from "../system/deps.ts";
import type { AuthSurface } from "./caller.ts";
import { FailureLimit } from "./failure-limit.ts";

export interface RefusalsOptions {
  readonly clock: Clock;
  /** Wrong keys that one address may send within a minute; 0 sets no limit. */
  readonly maxPerMinute: number;
  /** Returns the address under which a visit is counted. */
  readonly bucketOf: (visit: Visit) => string;
  /** Called for every request that is refused, for metrics. */
  readonly onFailure: (surface: AuthSurface) => void;
}

/**
 * Counts requests that are refused because of their credentials. Wrong keys count against their address. A missing key does
 * not, since it is no guess, and one misconfigured client must not block everybody behind its router.
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
   * Throws `too_many_auth_failures` while the visit's address is at its limit of wrong keys. It MUST be called before a key
   * is checked: the limit slows guessing only if a right guess is refused like a wrong one.
   */
  assertMayTry(visit: Visit, surface: AuthSurface): void {
    // Without failures, no address needs to be looked up.
    if (!this.#failures.hasFailures()) return;
    const retryAfterS = this.#failures.retryAfterS(this.#bucketOf(visit));
    if (retryAfterS === undefined) return;
    this.#onFailure(surface);
    throw new Fault("too_many_auth_failures", { retryAfterS });
  }

  /** Counts a refused request and the wrong keys in it. Returns the fault to throw. */
  refuse(
    visit: Visit,
    surface: AuthSurface,
    { guesses, message }: { readonly guesses: number; readonly message?: string | undefined },
  ): Fault {
    this.#onFailure(surface);
    if (guesses > 0) this.#failures.count(this.#bucketOf(visit), guesses);
    const words = message === undefined ? {} : { message };
    return new Fault("invalid_api_key", { ...words, headers: { "www-authenticate": "Bearer" } });
  }

  /** Returns whether this address is at its limit of wrong keys. */
  isBlocked(bucket: string): boolean {
    return this.#failures.retryAfterS(bucket) !== undefined;
  }

  /** Counts a refused worker and the wrong keys that it sent. */
  refuseWorker(address: string, guesses: number): void {
    this.#onFailure("worker");
    if (guesses > 0) this.#failures.count(address, guesses);
  }
}
