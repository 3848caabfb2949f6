/** What a worker is ranked by. */
export interface Contender {
  /** The part of its slots that is in use. */
  readonly load: number;
  /** Its speed, as a multiple of what is usual for the model; see `paceOf`. */
  readonly pace: number;
  /** Whether it has the model in memory. */
  readonly isLoaded: boolean;
  /** Whether it is out and not due for a probe, so that it gets jobs only if all workers of the model are out. */
  readonly isSuspended: boolean;
}

/** An idle worker still differs from another one by its speed. */
const IDLE_LOAD = 0.25;
/** A worker that must load the model first takes as long as if twice its slots were in use. */
const LOADING_LOAD = 2;
/** Levels between a score and twice that score, so that scores which differ by more than 2 per cent have different levels. */
const LEVELS_PER_DOUBLING = 32;
/** More levels than any two scores are apart. */
const LEVELS = 1000;

/** Returns how soon a worker would serve a job, in a number without a unit: less is sooner. */
export function scoreOf({ load, pace, isLoaded }: Contender): number {
  return (load + IDLE_LOAD + (isLoaded ? 0 : LOADING_LOAD)) / pace;
}

/**
 * Returns the level of a worker in the ranking of its model. Scores that are nearly the same have one level, so the number
 * of levels is bounded. A worker that must load the model comes after all that have it, however fast it is: loading takes
 * longer than nearly any job. Suspended workers come last.
 */
export function levelOfContender(contender: Contender): number {
  const level = Math.round(LEVELS_PER_DOUBLING * Math.log2(scoreOf(contender)));
  return level + (contender.isLoaded ? 0 : LEVELS) + (contender.isSuspended ? 2 * LEVELS : 0);
}
