import { Fault } from "../../errors.ts";
import type { WorkerOperator } from "../../plugin/operator.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Session } from "../../tunnel/session.ts";
import type { SessionPool } from "../../tunnel/session-source.ts";
import { CLOSES } from "../../wire/closes.ts";
import { FunctionCounts } from "./function-counts.ts";
import { HeldSessions } from "./held-sessions.ts";

/** A relay that is connected, with the count of what runs on it. */
export interface Relay {
  readonly session: Session;
  /** Calls that will end by themselves. */
  calls: number;
  /** Answers that stay open until somebody leaves: they must not take the calls' room. */
  streams: number;
  served: number;
  failed: number;
  /** Takes no new calls, by an operator's will; until undone, or until it connects anew. */
  isDrained: boolean;
  /** The last failure in our words; undefined while there was none. */
  lastError: string | undefined;
  /** Sessions of MCP, which clients have with its server. */
  readonly held: HeldSessions;
  readonly functions: FunctionCounts;
  /** Requests ended, by method: one of a few words. */
  readonly methods: Map<string, number>;
}

/** A relay that left so lately is likely on its way back: it restarts, or its line broke. */
const JUST_LEFT_MS = 30_000;
/** Remembered at once; the oldest are forgotten first. */
const MAX_LEFT = 10_000;
/** Requests that wait for relays to come back; beyond it they are told at once. */
const MAX_WAITING = 10_000;

export interface RelaysOptions {
  readonly clock: Clock;
  /** How long a request waits for a relay that has just left. */
  readonly rejoinMs: number;
  /** For so long after the start any relay may be one that is on its way back. */
  readonly startGraceMs: number;
  readonly onChange: () => void;
}

interface Waiter {
  readonly wake: (relay: Relay | undefined) => void;
  readonly cancelTimer: CancelTimer;
}

/** The relays by their ids: who is here, who has just left, and who waits for whom. */
export class Relays implements SessionPool, WorkerOperator {
  readonly #options: RelaysOptions;
  readonly #connected = new Map<string, Relay>();
  /** `Clock.elapsed` of leaving, in that order. */
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
      served: 0,
      failed: 0,
      isDrained: false,
      lastError: undefined,
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

  /** One that says goodbye takes no new calls, and is likely to come back. */
  onOfferChange(session: Session): void {
    if (session.offer.status === "draining") this.#remove(session);
  }

  onClosed(session: Session): void {
    this.#remove(session);
  }

  /**
   * The relay of this id, which is waited for when it has just left. Rejects with `relay_unavailable`; with the signal's
   * reason when that is aborted.
   */
  async find(id: string, signal: AbortSignal): Promise<Relay> {
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

  drainWorker(id: string, on: boolean): boolean {
    const relay = this.#connected.get(id);
    if (!relay) return false;
    relay.isDrained = on;
    this.#options.onChange();
    return true;
  }

  disconnectWorker(id: string): boolean {
    const relay = this.#connected.get(id);
    relay?.session.close(CLOSES.disconnected_by_operator);
    return relay !== undefined;
  }

  /** Nobody comes back any more. */
  giveUpWaiting(): void {
    for (const id of [...this.#waiting.keys()]) this.#wake(id, undefined);
  }

  #remove(session: Session): void {
    const { id } = session.worker;
    // The late close of one that was replaced must not remove its successor.
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
