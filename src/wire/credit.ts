/** Body bytes that this side may still send on one exchange. */
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

  /** What the peer granted. Capped, so that a hostile peer cannot make the count lose precision. */
  grant(bytes: number): void {
    this.#left = Math.min(this.#left + bytes, Number.MAX_SAFE_INTEGER);
  }
}

/**
 * Body bytes that the peer may still send to this side. Grants go out in steps of at least a quarter of the window,
 * so that a stream of small chunks costs one credit frame per quarter window and not one per chunk.
 */
export class ReceiveCredit {
  readonly #step: number;
  #left: number;
  #owed = 0;

  constructor(window: number, step = Math.max(1, Math.floor(window / 4))) {
    this.#left = window;
    this.#step = step;
  }

  /** False when the peer sent more than it was granted. */
  receive(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** The peer has no credit left: its silence is this side's doing. */
  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** The consumer has taken `bytes`; returns how many to grant now, 0 for not yet. */
  consume(bytes: number): number {
    this.#owed += bytes;
    if (this.#owed < this.#step) return 0;
    const grant = this.#owed;
    this.#owed = 0;
    this.#left += grant;
    return grant;
  }
}
