/**
 * Lets callers wait until an owner's work has come to rest. The owner keeps the counts; `Idle` keeps the waiters until the
 * counts reach zero.
 */
export class Idle {
  readonly #isIdle: () => boolean;
  #waiters: (() => void)[] = [];

  constructor(isIdle: () => boolean) {
    this.#isIdle = isIdle;
  }

  /** Wakes the waiters if the owner is idle. The owner MUST call it after every change that may have made it idle. */
  check(): void {
    if (this.#waiters.length === 0 || !this.#isIdle()) return;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** Resolves once the owner is idle: at once if it is idle now, and not while new work arrives before the waiter runs. */
  async wait(): Promise<void> {
    while (!this.#isIdle()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
}
