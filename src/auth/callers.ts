import { Fault } from "../errors.ts";
import { routeOf } from "../http/route-label.ts";
import type { Visit } from "../http/visit.ts";
import type { ActiveCaller, Caller, CallerClass, CallerLimits, RelayTerms } from "./caller.ts";

/** The part of the listener that callers need: the idle timeout of a request's connection. */
export interface IdleTimeouts {
  liftIdleTimeout(request: Request): void;
  restoreIdleTimeout(request: Request): void;
}

/** The running requests of callers at the other servers of a cluster. */
export interface RequestsElsewhere {
  /** Returns how many requests of a caller run at other servers, by their last messages. */
  countOf(name: string): number;
  /** Notes how many requests of a caller run here, of at most `limit` on all servers. */
  changed(name: string, count: number, limit: number): void;
}

export interface CallersOptions {
  readonly idleTimeouts: IdleTimeouts;
  /** Concurrent requests of one address; 0 sets no limit. */
  readonly maxPerAddress: number;
  /** Returns the client's address. */
  readonly addressOf: (visit: Visit) => string | undefined;
  /** Returns the address under which a visit is counted. Called only when needed, because the look-up costs time. */
  readonly bucketOf: (visit: Visit) => string;
  /** Absent if this server is the only one. Each server counts addresses for itself. */
  readonly elsewhere?: RequestsElsewhere | undefined;
}

/**
 * Counts running requests by caller and by address, so that one key or address can neither take every place in the queue
 * nor fill the memory with bodies. Addresses are looked up only once as many requests are running as one address may have.
 * Before that, no address can have too many.
 */
export class Callers {
  readonly #options: CallersOptions;
  readonly #byName = new Map<string, number>();
  readonly #byAddress = new Map<string, number>();
  /** Requests whose address has not been looked up yet. */
  readonly #notLookedUp = new Set<Stay>();
  #running = 0;

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** Counts a request until its caller leaves. Throws `too_many_requests`. */
  enter(who: Caller, visit: Visit): ActiveCaller {
    const { maxPerAddress, bucketOf, elsewhere } = this.#options;
    const { maxRequests } = who.limits;
    const isNameCounted = maxRequests > 0;
    if (isNameCounted) {
      const running = countOf(this.#byName, who.name) + (elsewhere?.countOf(who.name) ?? 0);
      if (running >= maxRequests) throw refusal("key", maxRequests);
    }
    const stay = new Stay(who, visit, this.#options, this.#left);
    if (isNameCounted) stay.countedName = who.name;
    if (maxPerAddress > 0 && this.#running >= maxPerAddress) {
      for (const each of this.#notLookedUp) this.#ask(each);
      const bucket = bucketOf(visit);
      if (countOf(this.#byAddress, bucket) >= maxPerAddress) throw refusal("address", maxPerAddress);
      stay.bucket = bucket;
      add(this.#byAddress, bucket, 1);
    } else if (maxPerAddress > 0) {
      this.#notLookedUp.add(stay);
    }
    if (isNameCounted) {
      const count = add(this.#byName, who.name, 1);
      elsewhere?.changed(who.name, count, maxRequests);
    }
    this.#running += 1;
    return stay;
  }

  #ask(stay: Stay): void {
    this.#notLookedUp.delete(stay);
    stay.bucket = this.#options.bucketOf(stay.visit);
    add(this.#byAddress, stay.bucket, 1);
  }

  readonly #left = (stay: Stay): void => {
    this.#running -= 1;
    if (stay.countedName !== undefined) {
      const count = add(this.#byName, stay.countedName, -1);
      this.#options.elsewhere?.changed(stay.countedName, count, stay.limits.maxRequests);
    }
    if (stay.bucket === undefined) this.#notLookedUp.delete(stay);
    else add(this.#byAddress, stay.bucket, -1);
  };
}

/** The caller of one running request. */
class Stay implements ActiveCaller {
  readonly visit: Visit;
  /** The name under which the request is counted, kept because a key source may change the caller's limits meanwhile. */
  countedName: string | undefined;
  /** The address under which the request is counted, once it has been looked up. */
  bucket: string | undefined;
  readonly #who: Caller;
  readonly #options: CallersOptions;
  readonly #onLeft: (stay: Stay) => void;
  #isLingering = false;
  #hasLeft = false;

  constructor(who: Caller, visit: Visit, options: CallersOptions, onLeft: (stay: Stay) => void) {
    this.#who = who;
    this.visit = visit;
    this.#options = options;
    this.#onLeft = onLeft;
  }

  get address(): string | undefined {
    return this.#options.addressOf(this.visit);
  }

  get route(): string {
    return routeOf(this.visit.request);
  }

  get name(): string {
    return this.#who.name;
  }

  get tenant(): string {
    return this.#who.tenant;
  }

  get class(): CallerClass {
    return this.#who.class;
  }

  get weight(): number {
    return this.#who.weight;
  }

  get limits(): CallerLimits {
    return this.#who.limits;
  }

  get keyId(): string | undefined {
    return this.#who.keyId;
  }

  get client(): string | undefined {
    return this.#who.client;
  }

  get userHeader(): string | undefined {
    return this.#who.userHeader;
  }

  get prefer(): "own" | undefined {
    return this.#who.prefer;
  }

  get relays(): RelayTerms | undefined {
    return this.#who.relays;
  }

  may(model: string): boolean {
    return this.#who.may(model);
  }

  linger(): void {
    if (this.#hasLeft) return;
    this.#isLingering = true;
    this.#options.idleTimeouts.liftIdleTimeout(this.visit.request);
  }

  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#onLeft(this);
    if (this.#isLingering) this.#options.idleTimeouts.restoreIdleTimeout(this.visit.request);
  }
}

/** Seconds until a retry makes sense. A running request may end at any time. */
const RETRY_AFTER_S = 2;

function refusal(what: "key" | "address", limit: number): Fault {
  return new Fault("too_many_requests", {
    message: `This ${what} already has ${limit} requests in progress, which is the limit. Try again when some have ended.`,
    retryAfterS: RETRY_AFTER_S,
  });
}

function countOf(counts: ReadonlyMap<string, number>, name: string): number {
  return counts.get(name) ?? 0;
}

/** Counts up or down, and removes a name whose count is 0. Returns the count. */
function add(counts: Map<string, number>, name: string, by: 1 | -1): number {
  const count = countOf(counts, name) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
  return count;
}
