/** Lets calls pass one at a time, in order of arrival, if that is wanted. */
export class CallTurns {
  readonly #isSerial: boolean;
  #running: number | undefined;
  /** What to do when a call's turn comes, by its id. */
  readonly #waiting = new Map<number, () => void>();

  constructor(isSerial: boolean) {
    this.#isSerial = isSerial;
  }

  /** Begins a call, now or when its turn comes. Returns what `begin` returns, and true for a call that waits. */
  take(id: number, begin: () => boolean): boolean {
    if (!this.#isSerial) return begin();
    if (this.#running === undefined) {
      this.#running = id;
      return begin();
    }
    this.#waiting.set(id, begin);
    return true;
  }

  /** Returns whether a call has not begun yet. */
  isWaiting(id: number): boolean {
    return this.#waiting.has(id);
  }

  /** Ends a call that has been answered or given up; the next one begins. */
  end(id: number): void {
    this.#waiting.delete(id);
    if (this.#running !== id) return;
    const [next] = this.#waiting;
    this.#running = next?.[0];
    if (!next) return;
    this.#waiting.delete(next[0]);
    next[1]();
  }

  /** Forgets all calls, because there is nothing left to call. */
  clear(): void {
    this.#waiting.clear();
    this.#running = undefined;
  }
}
