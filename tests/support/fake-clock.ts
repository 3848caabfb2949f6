import type { CancelTimer, Clock } from "../../src/system/deps.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  /** Undefined once it has run or was cancelled. */
  run: (() => void) | undefined;
}

/** The wall time at which a fake clock starts. It is far from the elapsed time, so that code which confuses the two fails. */
const WALL_START = 1_700_000_000_000;

/** A clock that stands still until a test moves it. Simulations run millions of timers on it, so they are kept in a heap. */
export class FakeClock implements Clock {
  #now = 1_000_000;
  #order = 0;
  #pending = 0;
  /** A binary heap, the next timer first. Cancelled timers stay in it until their time has come. */
  readonly #timers: Timer[] = [];

  /** The number of timers that have neither run nor been cancelled. */
  get pending(): number {
    return this.#pending;
  }

  now(): number {
    return WALL_START + this.#now;
  }

  elapsed(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): CancelTimer {
    this.#order += 1;
    const timer: Timer = { at: this.#now + ms, order: this.#order, run: callback };
    this.#pending += 1;
    this.#push(timer);
    return () => void this.#take(timer);
  }

  every(ms: number, callback: () => void): CancelTimer {
    let cancel: CancelTimer = () => {};
    const arm = (): void => {
      cancel = this.after(ms, () => {
        arm();
        callback();
      });
    };
    arm();
    return () => cancel();
  }

  /** Moves the clock forward and runs the timers that become due, in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let due = this.#timers[0]; due && due.at <= until; due = this.#timers[0]) {
      this.#pop();
      const run = this.#take(due);
      if (!run) continue;
      this.#now = Math.max(this.#now, due.at);
      run();
    }
    this.#now = until;
  }

  /** Ends a timer and returns its callback; undefined if it has ended before. */
  #take(timer: Timer): (() => void) | undefined {
    const { run } = timer;
    if (run) this.#pending -= 1;
    timer.run = undefined;
    return run;
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.length;
    for (; at > 0; at = (at - 1) >> 1) {
      const parent = heap[(at - 1) >> 1];
      if (!parent || isBefore(parent, timer)) break;
      heap[at] = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      const child = left && right && isBefore(right, left) ? right : left;
      if (!child || isBefore(last, child)) break;
      heap[at] = child;
      at = 2 * at + (child === left ? 1 : 2);
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
