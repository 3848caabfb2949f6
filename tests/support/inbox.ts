/** A queue of items that a test takes. Taking waits until an item has arrived. */
export class Inbox<T> {
  #items: T[] = [];
  #takers: ((item: T) => void)[] = [];

  put(item: T): void {
    const taker = this.#takers.shift();
    if (taker) taker(item);
    else this.#items.push(item);
  }

  get waiting(): number {
    return this.#items.length;
  }

  /** Takes the next item. Rejects with a clear message if none arrives in time, so that a test fails where it waits. */
  take(what = "an item", timeoutMs = 5000): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#takers = this.#takers.filter((other) => other !== taker);
        reject(new Error(`waited ${timeoutMs} ms for ${what}`));
      }, timeoutMs);
      const taker = (taken: T): void => {
        clearTimeout(timer);
        resolve(taken);
      };
      this.#takers.push(taker);
    });
  }

  /** Takes items until one fits, and drops the others. */
  async takeUntil(fits: (item: T) => boolean, what = "a fitting item", timeoutMs?: number): Promise<T> {
    for (;;) {
      const item = await this.take(what, timeoutMs);
      if (fits(item)) return item;
    }
  }
}
