/** The time that a job has spent in the queue, in one stay or several. Times are `Clock.elapsed`. */
export class QueueTime {
  #since: number | undefined;
  #totalMs = 0;

  /** Whether a stay has begun and not ended. */
  get isRunning(): boolean {
    return this.#since !== undefined;
  }

  begin(now: number): void {
    this.#since = now;
  }

  /** Ends a stay. Does nothing outside of one. */
  end(now: number): void {
    this.#totalMs = this.totalMs(now);
    this.#since = undefined;
  }

  totalMs(now: number): number {
    return this.#totalMs + (this.#since === undefined ? 0 : now - this.#since);
  }
}
