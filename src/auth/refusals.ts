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
 *
 * Only wrong keys are ever refused for their number. A right key is let in from any address, so that a single program with
 * an outdated key cannot lock out an office. The limit therefore slows nobody who guesses; it keeps the log and the counts
 * of failures small, and tells a program with a wrong key to pause. The length of the keys is what withstands guessing.
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
   * Counts a refused request and the wrong keys in it. Returns the fault to throw: `too_many_auth_failures` for wrong keys
   * from an address that was at its limit before, else `invalid_api_key`.
   */
  refuse(
    visit: Visit,
    surface: AuthSurface,
    { guesses, message }: { readonly guesses: number; readonly message?: string | undefined },
  ): Fault {
    this.#onFailure(surface);
    const retryAfterS = guesses > 0 ? this.#failures.count(this.#bucketOf(visit), guesses) : undefined;
    if (retryAfterS !== undefined) return new Fault("too_many_auth_failures", { retryAfterS });
    const words = message === undefined ? {} : { message };
    return new Fault("invalid_api_key", { ...words, headers: { "www-authenticate": "Bearer" } });
  }

  /** Counts a refused worker and the wrong keys that it sent. Returns whether its address was at its limit before. */
  refuseWorker(address: string, guesses: number): boolean {
    this.#onFailure("worker");
    return guesses > 0 && this.#failures.count(address, guesses) !== undefined;
  }
}
