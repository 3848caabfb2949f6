/** The slots of a worker, and how many of them are held. */
export interface Slots {
  readonly busy: number;
  readonly capacity: number;
}

/** The part of its slots by which a warm worker may be ahead of the others. */
const AHEAD_SHARE = 0.25;

/**
 * Returns whether a worker may get a job because it is warm, although another one has the load `otherLoad` (the part of its
 * slots that is held). Before it gets the job, it may be ahead by a quarter of its slots, and always by one: with two slots, one job is half of
 * them already. The comparison is made for each job, so one worker that is full does not cost the others their caches.
 */
export function isWithinGuard({ busy, capacity }: Slots, otherLoad: number): boolean {
  return busy - otherLoad * capacity <= Math.max(1, AHEAD_SHARE * capacity);
}
