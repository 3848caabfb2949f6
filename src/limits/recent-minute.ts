const MINUTE_MS = 60_000;
/** The longest time whose amounts share a cell. A cell counts until a minute after its last amount. */
const CELL_MS = 250;

interface Cell {
  /** Times are `Clock.elapsed`. */
  readonly from: number;
  until: number;
  amount: number;
}

/**
 * A sum over the last 60 seconds, for limits per minute. No 60 seconds ever exceed the limit, whereas a token bucket allows
 * twice as much around the moment at which it is full. An amount may count for up to 250 ms longer than a minute, because close
 * amounts are added up, which bounds the number of cells to 241.
 */
export class RecentMinute {
  readonly #cells: Cell[] = [];
  #sum = 0;

  /** How many cells are remembered: at most 241. */
  get cells(): number {
    return this.#cells.length;
  }

  /** Returns the sum. `now` is `Clock.elapsed`, and never goes back. */
  sum(now: number): number {
    const first = this.#cells[0];
    if (first && now - first.until >= MINUTE_MS) this.#forget(now);
    // Sums of fractions leave a remainder, which would count for ever.
    if (this.#cells.length === 0) this.#sum = 0;
    return this.#sum;
  }

  #forget(now: number): void {
    let old = 0;
    for (const { until, amount } of this.#cells) {
      if (now - until < MINUTE_MS) break;
      this.#sum -= amount;
      old += 1;
    }
    this.#cells.splice(0, old);
  }

  add(amount: number, now: number): void {
    if (amount <= 0) return;
    this.sum(now);
    this.#sum += amount;
    const last = this.#cells.at(-1);
    if (last && now - last.from < CELL_MS) {
      last.until = now;
      last.amount += amount;
    } else {
      this.#cells.push({ from: now, until: now, amount });
    }
  }

  /** Returns the milliseconds until the sum is at most this much if nothing is added; 0 if it is now. */
  msUntil(atMost: number, now: number): number {
    let left = this.sum(now);
    if (left <= atMost) return 0;
    // All of them must go. Every answer asks for this, for its headers.
    if (atMost === 0) return (this.#cells.at(-1)?.until ?? now) + MINUTE_MS - now;
    for (const { until, amount } of this.#cells) {
      left -= amount;
      if (left <= atMost) return until + MINUTE_MS - now;
    }
    return MINUTE_MS;
  }
}
