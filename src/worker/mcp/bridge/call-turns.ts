/** The most calls that may wait, and the most characters of them together: they are kept in memory. */
const MAX_WAITING = 1000;
const MAX_WAITING_CHARS = 32 * 1024 * 1024;

interface Waiting {
  /** Called when the call's turn comes. */
  readonly begin: () => void;
  readonly chars: number;
}

/** Lets calls pass one at a time, in order of arrival, if that is wanted. */
export class CallTurns {
  readonly #isSerial: boolean;
  #running: number | undefined;
  /** The calls whose turn has not come, by their ids. */
  readonly #waiting = new Map<number, Waiting>();
  #chars = 0;

  constructor(isSerial: boolean) {
    this.#isSerial = isSerial;
  }

  /** Whether so many calls wait, or such large ones, that no other one may. */
  get isFull(): boolean {
    return this.#waiting.size >= MAX_WAITING || this.#chars >= MAX_WAITING_CHARS;
  }

  /**
   * Begins a call, now or when its turn comes. Returns what `begin` returns, and true for a call that waits. `params` are
   * what the call keeps in memory while it waits.
   */
  take(id: number, params: unknown, begin: () => boolean): boolean {
    if (!this.#isSerial) return begin();
    if (this.#running === undefined) {
      this.#running = id;
      return begin();
    }
    const chars = JSON.stringify(params ?? null).length;
    this.#waiting.set(id, { begin, chars });
    this.#chars += chars;
    return true;
  }

  /** Returns whether a call has not begun yet. */
  isWaiting(id: number): boolean {
    return this.#waiting.has(id);
  }

  /** Ends a call that has been answered or given up; the next one begins. */
  end(id: number): void {
    this.#remove(id);
    if (this.#running !== id) return;
    const [next] = this.#waiting;
    this.#running = next?.[0];
    if (!next) return;
    this.#remove(next[0]);
    next[1].begin();
  }

  /** Forgets all calls, because there is nothing left to call. */
  clear(): void {
    this.#waiting.clear();
    this.#chars = 0;
    this.#running = undefined;
  }

  #remove(id: number): void {
    this.#chars -= this.#waiting.get(id)?.chars ?? 0;
    this.#waiting.delete(id);
  }
}
