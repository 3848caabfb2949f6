/** What a worker is ranked by. */
export interface Contender {
  /** The part of its slots that is held. */
  readonly load: number;
  /** Its speed, as a multiple of what is usual for the model; see `paceOf`. */
  readonly pace: number;
  /** Whether it has the model in memory. */
  readonly isLoaded: boolean;
  /** Whether it gets jobs only if all workers of the model are out, because it is out and its time is not over. */
  readonly isBarred: boolean;
}

/** An idle worker still differs from another one by its speed. */
const IDLE_LOAD = 0.25;
/** A worker that must load the model first takes as long as if twice its slots were held before. */
const LOADING_LOAD = 2;
/** Levels between two scores of which one is twice the other: they distinguish scores that differ by 2 per cent. */
const LEVELS_PER_DOUBLING = 32;
/** More levels than any two scores are apart. */
const LEVELS = 1000;

/** Returns how soon a worker would serve a job, in a number without a unit: less is sooner. */
export function scoreOf({ load, pace, isLoaded }: Contender): number {
  return (load + IDLE_LOAD + (isLoaded ? 0 : LOADING_LOAD)) / pace;
}

/**
 * Returns the level of a worker in the ranking of its model. Scores that are nearly the same have one level, so the number
 * of levels is bounded. Whoever must load the model comes behind all that have it, however fast: loading takes longer than
 * nearly any job. Whoever is barred comes last.
 */
export function levelOfContender(contender: Contender): number {
  const level = Math.round(LEVELS_PER_DOUBLING * Math.log2(scoreOf(contender)));
  return level + (contender.isLoaded ? 0 : LEVELS) + (contender.isBarred ? 2 * LEVELS : 0);
}
