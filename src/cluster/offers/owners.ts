/** A peer with workers that may serve a job. */
export interface Owner {
  readonly peer: string;
  /** The slots of these workers, and how many of them are free, as far as is known. */
  readonly slots: number;
  readonly free: number;
  /** Whether it is in the same region, or less than 20 ms away. */
  readonly isNear: boolean;
}

/** The fewest peers that are asked. With one or two, a job waits for their slots while others are free. */
const FEWEST = 3;

/**
 * Chooses the peers that are asked for slots for a number of jobs: near ones first, then those with free slots, then those
 * that were asked before, then those with the most slots. Few peers are asked for a single job, because each of them offers
 * its next slot and only one is used. For many jobs, half as many peers as jobs are asked, which is enough for each job.
 */
export function chooseOwners(
  owners: Iterable<Owner>,
  jobs: number,
  before: ReadonlySet<string>,
  random: () => number,
): readonly string[] {
  return Array.from(owners, (owner) => ({ owner, tie: random(), isAsked: before.has(owner.peer) }))
    .sort(
      (a, b) =>
        Number(b.owner.isNear) - Number(a.owner.isNear) ||
        Number(b.owner.free > 0) - Number(a.owner.free > 0) ||
        Number(b.isAsked) - Number(a.isAsked) ||
        b.owner.slots - a.owner.slots ||
        a.tie - b.tie,
    )
    .slice(0, Math.max(FEWEST, Math.ceil(jobs / 2)))
    .map(({ owner }) => owner.peer);
}
