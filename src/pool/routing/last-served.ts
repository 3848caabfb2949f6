/** When a worker has last served a model well: for the latest caller, and for any other one. */
export class LastServed {
  #caller: string | undefined;
  #at = Number.NEGATIVE_INFINITY;
  #otherAt = Number.NEGATIVE_INFINITY;

  /** `now` is `Clock.elapsed`. */
  note(caller: string, now: number): void {
    if (caller !== this.#caller) this.#otherAt = this.#at;
    this.#caller = caller;
    this.#at = now;
  }

  /** Returns `Clock.elapsed` at which it last served any other caller than this one; minus infinity for never. */
  otherThan(caller: string): number {
    return caller === this.#caller ? this.#otherAt : this.#at;
  }
}
