/** The number of a worker's slots, and how many of them are in use. */
export interface Slots {
  readonly busy: number;
  readonly capacity: number;
}

/** The part of its slots by which a warm worker may be ahead of the others. */
const AHEAD_SHARE = 0.25;

/**
 * Returns whether a warm worker may get a job, although another worker has the load `otherLoad`: the part of its slots that is
 * in use. Before it gets the job, it may be ahead by a quarter of its slots, and always by one slot: with two slots, one job
 * is half of them already. The comparison is made for each job, so one full worker does not cost the others their caches.
 */
export function isWithinGuard({ busy, capacity }: Slots, otherLoad: number): boolean {
  return busy - otherLoad * capacity <= Math.max(1, AHEAD_SHARE * capacity);
}
