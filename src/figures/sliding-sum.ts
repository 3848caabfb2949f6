/** Number of parts of the window. The sum expires one whole part at a time. */
const PARTS = 12;

/** A sum over the last minute, accurate to five seconds. An addition has a constant cost. */
export class SlidingSum {
  /** Allocated with the first amount, because there are many sums and most stay empty. */
  #parts: Float64Array | undefined;
  #part = 0;
  #sum = 0;

  /** Adds an amount, which may correct earlier ones downwards; `now` is `Clock.elapsed`. */
  add(amount: number, now: number): void {
    this.#advance(now);
    this.#parts ??= new Float64Array(PARTS);
    const at = this.#part % PARTS;
    this.#parts[at] = (this.#parts[at] ?? 0) + amount;
    this.#sum += amount;
  }

  sum(now: number): number {
    this.#advance(now);
    return this.#sum;
  }

  /** The sum per second of the window; never below 0, although what a correction was for may have left the window. */
  rate(now: number): number {
    return Math.max(0, this.sum(now)) / (WINDOW_MS / 1000);
  }

  #advance(now: number): void {
    const part = Math.floor(now / PART_MS);
    if (!this.#parts || part - this.#part >= PARTS) {
      this.#parts?.fill(0);
      this.#sum = 0;
      this.#part = part;
    }
    while (this.#part < part) {
      this.#part += 1;
      const at = this.#part % PARTS;
      this.#sum -= this.#parts?.[at] ?? 0;
      if (this.#parts) this.#parts[at] = 0;
    }
  }
}

export const WINDOW_MS = 60_000;
const PART_MS = WINDOW_MS / PARTS;
