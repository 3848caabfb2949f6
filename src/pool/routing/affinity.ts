/** The source of the knowledge that a worker has served a similar request before. */
export type AffinitySource = "session" | "cache_key" | "prefix";

/** A worker that probably has a part of a request's prompt in its cache. */
export interface WarmSession {
  /** The id of its `Session`. A session that has ended, or does not serve the model, is skipped. */
  readonly sessionId: string;
  /** The part of the prompt that it probably has, from 0 to 1. */
  readonly share: number;
  readonly source: AffinitySource;
}

/** What is known of the workers that have a request's prompt in their caches. */
export interface Affinity {
  /**
   * Lists the warm sessions for a model, the largest share first, and of equal shares the one that was used last. It is
   * asked at each choice, so a job that has waited is sent by what is known then. It is not asked when a single worker
   * serves the model.
   */
  candidates(model: string): readonly WarmSession[];
}
