import { Fault } from "../errors.ts";
import { routeOf } from "../http/route-label.ts";
import type { Visit } from "../http/visit.ts";
import type { Clock, Log, LogFields } from "../system/deps.ts";
import { RepeatedLines } from "../system/repeated-lines.ts";
import type { AuthSurface } from "./caller.ts";
import { FailureLimit, type FailuresElsewhere } from "./failure-limit.ts";
import type { KeyRefusal } from "./keys.ts";

/** When a client may try again whose key cannot be judged, in seconds. A restart of NATS takes about as long. */
const CONFIRM_AFTER_S = 5;

export interface RefusalsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Wrong keys that one address may send within a minute; 0 sets no limit. */
  readonly maxPerMinute: number;
  /** Returns the client's address, for the log. */
  readonly addressOf: (visit: Visit) => string | undefined;
  /** Returns the address under which a visit is counted. */
  readonly bucketOf: (visit: Visit) => string;
  /** Called for every request that is refused, for metrics. */
  readonly onFailure: (surface: AuthSurface) => void;
  /** The refusals of other servers; absent where this one is the only one. */
  readonly elsewhere?: RefusalsElsewhere | undefined;
}

/** What clients send to the other servers of a cluster: wrong keys, and wrong tokens of relays. */
export interface RefusalsElsewhere {
  readonly keys: FailuresElsewhere;
  readonly tokens: FailuresElsewhere;
}

/** A request that is refused. */
interface Refused {
  /** The number of wrong keys in it. */
  readonly guesses: number;
  /** Whether the request has a key at all, valid elsewhere or not. */
  readonly hasKey: boolean;
  /** The message of the answer, in place of the usual one. */
  readonly message?: string | undefined;
  /** Why a key in it is refused that its source knows, or that was mistyped. */
  readonly known?: KeyRefusal | undefined;
}

/**
 * Counts and logs requests that are refused because of their credentials. Wrong keys count against their address. A
 * missing key does not, since it is no guess, and one misconfigured client must not block everybody behind its router.
 *
 * Only wrong keys are ever refused for their number. A right key is let in from any address, so that a single program with
 * an outdated key cannot lock out an office. The limit therefore slows nobody who guesses; it keeps the log and the counts
 * of failures small, and tells a program with a wrong key to pause. The length of the keys is what withstands guessing.
 */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #failures: FailureLimit;
  /** Wrong tokens of relays, by address and relay. */
  readonly #tokenFailures: FailureLimit;
  /** Lines about wrong keys, which tools such as fail2ban read. */
  readonly #wrongKeys: RepeatedLines;
  /** Lines about requests without a key of the right kind. */
  readonly #others: RepeatedLines;

  constructor(options: RefusalsOptions) {
    const { clock, log, maxPerMinute, elsewhere } = options;
    this.#options = options;
    this.#failures = new FailureLimit(maxPerMinute, clock, elsewhere?.keys);
    this.#tokenFailures = new FailureLimit(maxPerMinute, clock, elsewhere?.tokens);
    this.#wrongKeys = new RepeatedLines({ clock, write: (fields) => log.warn("auth.failed", fields) });
    this.#others = new RepeatedLines({ clock, write: (fields) => log.info("auth.failed", fields) });
  }

  /**
   * Counts a refused request and the wrong keys in it. Returns the fault to throw: `too_many_auth_failures` for wrong keys
   * from an address that was at its limit before, else `invalid_api_key` or what is known about a key in it.
   */
  refuse(visit: Visit, surface: AuthSurface, { guesses, hasKey, message, known }: Refused): Fault {
    const { addressOf, bucketOf, onFailure } = this.#options;
    if (known?.code === "key_not_confirmed") return this.#postpone(visit, surface, known);
    onFailure(surface);
    const bucket = bucketOf(visit);
    const reason = known?.reason ?? (guesses > 0 ? "wrong_key" : hasKey ? "key_of_another_kind" : "no_key");
    const fields: LogFields = { address: addressOf(visit), door: surface, route: routeOf(visit.request), reason };
    // Each key that is known has lines of its own, so that one forgotten program does not hide another at its address.
    const subject = known?.caller === undefined ? bucket : `${bucket} ${known.caller}`;
    const caller = known?.caller === undefined ? {} : { caller: known.caller };
    (guesses > 0 ? this.#wrongKeys : this.#others).note(
      subject,
      { ...fields, ...caller },
      { address: "others", reason },
    );
    const retryAfterS = guesses > 0 ? this.#failures.count(bucket, guesses) : undefined;
    if (retryAfterS !== undefined) return new Fault("too_many_auth_failures", { retryAfterS });
    const text = known?.message ?? message;
    const words = text === undefined ? {} : { message: text };
    return new Fault(known?.code ?? "invalid_api_key", { ...words, headers: { "www-authenticate": "Bearer" } });
  }

  /** Returns the fault for a key that may be right. Nobody has failed, so nothing is counted. */
  #postpone(visit: Visit, surface: AuthSurface, { code, reason, message }: KeyRefusal): Fault {
    const address = this.#options.addressOf(visit);
    const fields: LogFields = { address, door: surface, route: routeOf(visit.request), reason };
    this.#others.note(`${this.#options.bucketOf(visit)} ${reason}`, fields, { address: "others", reason });
    return new Fault(code, { message, retryAfterS: CONFIRM_AFTER_S });
  }

  /**
   * Counts a wrong token of a relay. Returns the fault for an address that was at its limit before. Each relay has its own
   * count, apart from that of keys: a program with an outdated token for one relay may have the right ones for others.
   */
  refuseToken(visit: Visit, relayId: string): Fault | undefined {
    const { addressOf, bucketOf, onFailure } = this.#options;
    onFailure("relay");
    const bucket = bucketOf(visit);
    const reason = "wrong_token";
    const fields = { address: addressOf(visit), door: "relay", route: routeOf(visit.request), reason };
    this.#wrongKeys.note(`${bucket} relay`, fields, { address: "others", reason });
    const retryAfterS = this.#tokenFailures.count(`${bucket} ${relayId}`);
    if (retryAfterS === undefined) return undefined;
    return new Fault("too_many_auth_failures", {
      message: "This token is not the relay's, and neither were many others from this address within a minute.",
      retryAfterS,
    });
  }

  /** Counts a refused worker and the wrong keys that it sent. Returns whether its address was at its limit before. */
  refuseWorker(address: string, guesses: number): boolean {
    this.#options.onFailure("worker");
    return guesses > 0 && this.#failures.count(address, guesses) !== undefined;
  }
}
