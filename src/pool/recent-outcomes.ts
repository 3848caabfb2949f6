/** Jobs that are looked back at: enough to tell a bad day from bad luck, and they fit in one number. */
const KEPT = 20;

/** How a worker's last jobs ended. */
export class RecentOutcomes {
  /** A bit for each job, the newest lowest; set for a failure. */
  #bits = 0;
  #size = 0;

  /** Jobs that are remembered, at most twenty. */
  get size(): number {
    return this.#size;
  }

  get failures(): number {
    let count = 0;
    for (let bits = this.#bits; bits !== 0; bits &= bits - 1) count += 1;
    return count;
  }

  add(hasFailed: boolean): void {
    this.#bits = ((this.#bits << 1) | (hasFailed ? 1 : 0)) & ((1 << KEPT) - 1);
    this.#size = Math.min(this.#size + 1, KEPT);
  }
}
