import { Fault } from "../../errors.ts";
import type { Restrictions } from "../../plugin/restrictions.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Session } from "../../tunnel/session.ts";
import type { SessionPool } from "../../tunnel/session-source.ts";
import { CLOSES } from "../../wire/closes.ts";
import { FunctionCounts } from "./function-counts.ts";
import { HeldSessions } from "./held-sessions.ts";

/** A call or stream that runs. */
export interface RunningCall {
  readonly requestId: string;
  /** The label of `RpcFacts`. */
  readonly method: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** A connected relay, with the counts of its calls. */
export interface Relay {
  readonly session: Session;
  /** Running calls that end by themselves. */
  calls: number;
  /** Open answers that end only when a side leaves. They have a limit of their own, apart from the calls'. */
  streams: number;
  /** The running calls and streams. */
  readonly running: Set<RunningCall>;
  served: number;
  failed: number;
  /** Whether an operator keeps new calls from it, until that is undone. */
  isDrained: boolean;
  /** Error code of the last call that failed; undefined before the first. */
  lastError: string | undefined;
  /** When that was, in milliseconds since 1970. */
  lastErrorAt: number | undefined;
  /** Calls that have failed since the last one that did not. */
  failuresInARow: number;
  /** The MCP sessions that clients hold with its MCP server. */
  readonly held: HeldSessions;
  readonly functions: FunctionCounts;
  /** Requests ended, by the label of `RpcFacts`. */
  readonly methods: Map<string, number>;
}

/** A relay that left less than this ago is likely to come back: it restarts, or its connection broke. */
const JUST_LEFT_MS = 30_000;
/** Relays remembered after they left. The oldest are forgotten first. */
const MAX_LEFT = 10_000;
/** Requests that may wait for relays to come back. Further ones are refused at once. */
const MAX_WAITING = 10_000;

export interface RelaysOptions {
  readonly clock: Clock;
  /** How long a request waits for a relay that has just left. */
  readonly rejoinMs: number;
  /** How long after the server's start a request waits for any relay, which may be on its way back. */
  readonly startGraceMs: number;
  readonly restrictions: Pick<Restrictions, "isDrained" | "isBlocked">;
  readonly onChange: () => void;
}

interface Waiter {
  readonly wake: (relay: Relay | undefined) => void;
  readonly cancelTimer: CancelTimer;
}

/** The relays by their ids: the connected ones, those that have just left, and the requests that wait for one. */
export class Relays implements SessionPool {
  readonly #options: RelaysOptions;
  readonly #connected = new Map<string, Relay>();
  /** When each relay left (`Clock.elapsed`), in that order. */
  readonly #left = new Map<string, number>();
  readonly #waiting = new Map<string, Set<Waiter>>();
  readonly #startedAt: number;
  #waiters = 0;

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#startedAt = options.clock.elapsed();
  }

  all(): IterableIterator<Relay> {
    return this.#connected.values();
  }

  get size(): number {
    return this.#connected.size;
  }

  onOpened(session: Session): void {
    const { id } = session.worker;
    const relay: Relay = {
      session,
      calls: 0,
      streams: 0,
      running: new Set(),
      served: 0,
      failed: 0,
      isDrained: this.#options.restrictions.isDrained(id),
      lastError: undefined,
      lastErrorAt: undefined,
      failuresInARow: 0,
      held: new HeldSessions(this.#options.clock),
      functions: new FunctionCounts(),
      methods: new Map(),
    };
    const before = this.#connected.get(id);
    this.#connected.set(id, relay);
    this.#left.delete(id);
    before?.session.close(CLOSES.replaced);
    this.#wake(id, relay);
    this.#options.onChange();
  }

  /** Removes a relay that announces its leaving: it takes no new calls, and is likely to come back. */
  onOfferChange(session: Session): void {
    if (session.offer.status === "draining") this.#remove(session);
    // Whether its MCP server works.
    else this.#options.onChange();
  }

  onClosed(session: Session): void {
    this.#remove(session);
  }

  /**
   * Finds the relay of this id, and waits for one that has just left. Rejects with `relay_unavailable`, also when
   * `signal` is aborted while it waits.
   */
  async find(id: string, signal: AbortSignal): Promise<Relay> {
    if (this.#options.restrictions.isBlocked(id))
      throw new Fault("relay_unavailable", { message: "An operator has blocked this relay.", retryAfterS: 30 });
    const relay = this.#connected.get(id) ?? (await this.#waitFor(id, signal));
    if (!relay) throw new Fault("relay_unavailable", { retryAfterS: 5 });
    if (relay.isDrained) {
      throw new Fault("relay_unavailable", {
        message: "An operator keeps new calls from this relay for now.",
        retryAfterS: 30,
      });
    }
    return relay;
  }

  sessionOf(id: string): Session | undefined {
    return this.#connected.get(id)?.session;
  }

  /** Keeps new calls from a relay, or lets them in again. Does nothing for one that is not connected. */
  setDrained(id: string, isDrained: boolean): void {
    const relay = this.#connected.get(id);
    if (!relay) return;
    relay.isDrained = isDrained;
    this.#options.onChange();
  }

  /** Ends every wait: no relay can come back any more. */
  giveUpWaiting(): void {
    for (const id of [...this.#waiting.keys()]) this.#wake(id, undefined);
  }

  #remove(session: Session): void {
    const { id } = session.worker;
    // The late close of a relay that was replaced must not remove its successor.
    if (this.#connected.get(id)?.session !== session) return;
    this.#connected.delete(id);
    this.#left.delete(id);
    this.#left.set(id, this.#options.clock.elapsed());
    const oldest = this.#left.size > MAX_LEFT ? this.#left.keys().next().value : undefined;
    if (oldest !== undefined) this.#left.delete(oldest);
    this.#options.onChange();
  }

  async #waitFor(id: string, signal: AbortSignal): Promise<Relay | undefined> {
    const { clock, rejoinMs, startGraceMs } = this.#options;
    const now = clock.elapsed();
    const leftAt = this.#left.get(id);
    const hasJustLeft = leftAt !== undefined && now - leftAt <= JUST_LEFT_MS;
    const isLikelyBack = hasJustLeft || now - this.#startedAt < startGraceMs;
    if (!isLikelyBack || rejoinMs === 0 || this.#waiters >= MAX_WAITING) return undefined;
    const waiters = this.#waiting.get(id) ?? new Set<Waiter>();
    this.#waiting.set(id, waiters);
    const { promise, resolve } = Promise.withResolvers<Relay | undefined>();
    const waiter: Waiter = { wake: resolve, cancelTimer: clock.after(rejoinMs, () => resolve(undefined)) };
    const leave = (): void => resolve(undefined);
    waiters.add(waiter);
    this.#waiters += 1;
    signal.addEventListener("abort", leave);
    try {
      return await promise;
    } finally {
      waiter.cancelTimer();
      signal.removeEventListener("abort", leave);
      this.#waiters -= 1;
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
    }
  }

  #wake(id: string, relay: Relay | undefined): void {
    for (const waiter of this.#waiting.get(id) ?? []) waiter.wake(relay);
  }
}
