/** The last `capacity` values that were pushed. */
export class Ring<T> {
  readonly #capacity: number;
  readonly #values: T[] = [];
  /** The place of the next value, once all places are taken. */
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  push(value: T): void {
    if (this.#values.length < this.#capacity) {
      this.#values.push(value);
      return;
    }
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  newestFirst(): readonly T[] {
    return [...this.#values.slice(this.#next), ...this.#values.slice(0, this.#next)].reverse();
  }
}
