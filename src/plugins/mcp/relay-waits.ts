import type { CancelTimer, Clock } from "../../system/deps.ts";

/** Requests that may wait for relays to come back. Further ones are refused at once. */
const MAX_WAITING = 10_000;

interface Waiter {
  readonly wake: () => void;
  readonly cancelTimer: CancelTimer;
}

/** The requests that wait for relays, by the ids of the relays. */
export class RelayWaits {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<Waiter>>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isFull(): boolean {
    return this.#count >= MAX_WAITING;
  }

  /** Resolves when something has happened to the relay, after `ms`, or when `signal` is aborted. */
  async wait(id: string, ms: number, signal: AbortSignal): Promise<void> {
    const waiters = this.#waiting.get(id) ?? new Set<Waiter>();
    this.#waiting.set(id, waiters);
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    const waiter: Waiter = { wake, cancelTimer: this.#clock.after(ms, wake) };
    waiters.add(waiter);
    this.#count += 1;
    signal.addEventListener("abort", wake);
    try {
      await promise;
    } finally {
      waiter.cancelTimer();
      signal.removeEventListener("abort", wake);
      this.#count -= 1;
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
    }
  }

  /** Makes the requests that wait for a relay look for it again. */
  wake(id: string): void {
    for (const waiter of this.#waiting.get(id) ?? []) waiter.wake();
  }

  wakeAll(): void {
    for (const id of [...this.#waiting.keys()]) this.wake(id);
  }
}
