/** The body bytes that this side may still send on one exchange. */
export class SendCredit {
  #left: number;

  constructor(window: number) {
    this.#left = window;
  }

  get left(): number {
    return this.#left;
  }

  spend(bytes: number): void {
    this.#left -= bytes;
  }

  /** Adds what the peer granted. The sum is capped, so that a hostile peer cannot make it lose precision. */
  grant(bytes: number): void {
    this.#left = Math.min(this.#left + bytes, Number.MAX_SAFE_INTEGER);
  }
}

/**
 * The body bytes that the peer may still send to this side. Grants go out in steps of at least a quarter of the window, so a
 * stream of small chunks costs one credit frame per quarter window instead of one per chunk.
 */
export class ReceiveCredit {
  readonly #step: number;
  #left: number;
  #owed = 0;

  constructor(window: number, step = Math.max(1, Math.floor(window / 4))) {
    this.#left = window;
    this.#step = step;
  }

  /** Counts bytes that arrived. Returns false when the peer sent more than it was granted. */
  receive(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** Whether the peer has no credit left; its silence is then caused by this side. */
  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Counts bytes that the consumer has taken. Returns how many to grant now; 0 for none yet. */
  consume(bytes: number): number {
    this.#owed += bytes;
    if (this.#owed < this.#step) return 0;
    const grant = this.#owed;
    this.#owed = 0;
    this.#left += grant;
    return grant;
  }
}
