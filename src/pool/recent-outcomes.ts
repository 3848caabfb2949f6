/** How many jobs are remembered: enough to distinguish a fault from bad luck, and few enough to fit in one number. */
const KEPT = 20;

/** The outcomes of a worker's last jobs. */
export class RecentOutcomes {
  /** One bit for each job, set for a failure; the newest job has the lowest. */
  #bits = 0;
  #size = 0;

  /** How many jobs are remembered, at most twenty. */
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
