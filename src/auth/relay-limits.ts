import { Fault } from "../errors.ts";
import { RecentMinute } from "../limits/recent-minute.ts";
import type { CancelTimer, Clock } from "../system/deps.ts";
import type { Caller } from "./caller.ts";
import type { RequestsElsewhere } from "./callers.ts";

/** What one caller has in progress and has begun lately. */
interface Use {
  running: number;
  readonly recent: RecentMinute;
  /** Forgets the use once a minute has passed without a call. */
  cancelLook: CancelTimer | undefined;
}

/**
 * The limits of keys on calls of connector relays: how many may run at once and how many may begin within a minute, at all relays
 * and all servers of a cluster together. Callers without such limits are not counted.
 */
export class RelayLimits {
  readonly #clock: Clock;
  readonly #elsewhere: RequestsElsewhere | undefined;
  readonly #uses = new Map<string, Use>();

  constructor(clock: Clock, elsewhere: RequestsElsewhere | undefined) {
    this.#clock = clock;
    this.#elsewhere = elsewhere;
  }

  /** How many callers are remembered. */
  get size(): number {
    return this.#uses.size;
  }

  /**
   * Counts a call until the returned function is called. Throws `too_many_requests` if too many run, and `rate_limit_exceeded` if too
   * many have begun within the last minute.
   */
  enter({ name, relays }: Caller): () => void {
    const { parallel, requestsPerMinute } = relays ?? {};
    if (parallel === undefined && requestsPerMinute === undefined) return () => {};
    const use = this.#uses.get(name) ?? { running: 0, recent: new RecentMinute(), cancelLook: undefined };
    const now = this.#clock.elapsed();
    if (parallel !== undefined && use.running + this.#countElsewhere(runningOf(name)) >= parallel)
      throw tooManyRunning(parallel);
    if (requestsPerMinute !== undefined) {
      const elsewhere = this.#countElsewhere(begunOf(name));
      // What other servers count leaves them at an unknown time, so the time is until there is room here beside it.
      if (use.recent.sum(now) + elsewhere >= requestsPerMinute)
        throw tooFast(requestsPerMinute, use.recent.msUntil(Math.max(0, requestsPerMinute - 1 - elsewhere), now));
      use.recent.add(1, now);
      this.#elsewhere?.changed(begunOf(name), use.recent.sum(now), requestsPerMinute);
    }
    this.#uses.set(name, use);
    use.running += 1;
    if (parallel !== undefined) this.#elsewhere?.changed(runningOf(name), use.running, parallel);
    this.#lookLater(name, use, requestsPerMinute);
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      use.running -= 1;
      if (parallel !== undefined) this.#elsewhere?.changed(runningOf(name), use.running, parallel);
      this.#lookLater(name, use, requestsPerMinute);
    };
  }

  #countElsewhere(name: string): number {
    return this.#elsewhere?.countOf(name) ?? 0;
  }

  /** Tells the other servers when calls are older than a minute, and forgets a caller once nothing is left to count. */
  #lookLater(name: string, use: Use, requestsPerMinute: number | undefined): void {
    if (use.cancelLook) return;
    const left = use.recent.msUntil(Math.max(0, use.recent.sum(this.#clock.elapsed()) - 1), this.#clock.elapsed());
    if (left <= 0) {
      if (use.running === 0) this.#uses.delete(name);
      return;
    }
    use.cancelLook = this.#clock.after(Math.max(left, LEAST_LOOK_MS), () => {
      use.cancelLook = undefined;
      if (requestsPerMinute !== undefined)
        this.#elsewhere?.changed(begunOf(name), use.recent.sum(this.#clock.elapsed()), requestsPerMinute);
      this.#lookLater(name, use, requestsPerMinute);
    });
  }
}

/** Calls that begin shortly after each other are forgotten together. */
const LEAST_LOOK_MS = 1000;
/** When a client may try again, in seconds: a running call may end at any time. */
const RETRY_AFTER_S = 2;

/** The names under which the servers of a cluster count. No caller has such a name. */
function runningOf(name: string): string {
  return `mcp running ${name}`;
}

function begunOf(name: string): string {
  return `mcp begun ${name}`;
}

function tooManyRunning(limit: number): Fault {
  return new Fault("too_many_requests", {
    message: `This key already has ${limit} calls of MCP servers in progress, which is its limit. Try again when some have ended.`,
    retryAfterS: RETRY_AFTER_S,
  });
}

function tooFast(limit: number, ms: number): Fault {
  return new Fault("rate_limit_exceeded", {
    message: `This key may begin ${limit} calls of MCP servers within a minute. Try again after the time in Retry-After.`,
    retryAfterS: Math.max(1, Math.ceil(ms / 1000)),
  });
}
