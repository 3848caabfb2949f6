/** The prediction for one job, and what its answer stated. */
export interface Outcome {
  readonly workerId: string;
  readonly sessionId: string;
  /** The model as the worker calls it. */
  readonly model: string;
  /** Tokens of the prompt that were expected in the worker's cache. */
  readonly predictedTokens: number;
  /** Tokens that its backend took from its cache. */
  readonly cachedTokens: number;
}

/** A worker whose backend does not keep prompts of a model, so none are sent to it for their sake. */
export interface ColdWorker {
  readonly workerId: string;
  readonly sessionId: string;
  readonly model: string;
  /** The sums of the jobs that have shown it. */
  readonly predictedTokens: number;
  readonly cachedTokens: number;
  /** `Clock.elapsed` at which it is tried again. */
  readonly until: number;
}

/** The sums of one model. */
export interface PredictedTokens {
  predictedTokens: number;
  cachedTokens: number;
}

/** The jobs over which a worker's cache is judged. */
const JOBS_JUDGED = 20;
/** The part of the predicted tokens that must have come from the cache. */
const LOWEST_RATE = 0.2;
/** How long a worker counts as cold. */
const COLD_MS = 10 * 60_000;
/** Backends keep blocks of 16 tokens or more, so a small prediction says nothing. */
const MIN_TOKENS = 64;
/** The pairs of worker and model that are judged at a time, and the models with sums of their own. */
const MAX_JUDGED = 4096;
const MAX_MODELS = 200;
/** The name under which all further models are summed up. */
const OTHER = "other";

/**
 * Compares predictions with what backends state, for each worker and model. A worker whose backend has less than a fifth of
 * what was expected is cold for ten minutes. Backends that state no cached tokens are never judged.
 */
export class HitRates {
  readonly #judged = new Map<string, { jobs: number; predictedTokens: number; cachedTokens: number }>();
  readonly #cold = new Map<string, ColdWorker>();
  readonly #models = new Map<string, PredictedTokens>();

  /** The sums by model since the start. They only grow. */
  get models(): ReadonlyMap<string, Readonly<PredictedTokens>> {
    return this.#models;
  }

  isCold(sessionId: string, model: string, now: number): boolean {
    if (this.#cold.size === 0) return false;
    const cold = this.#cold.get(keyOf(sessionId, model));
    return cold !== undefined && cold.until > now;
  }

  /** Lists the workers that are cold now. */
  cold(now: number): readonly ColdWorker[] {
    if (this.#cold.size === 0) return NONE;
    for (const [key, { until }] of this.#cold) if (until <= now) this.#cold.delete(key);
    return [...this.#cold.values()];
  }

  /** Counts a job. Returns its worker if the worker counts as cold from this job on. */
  count(outcome: Outcome, now: number): ColdWorker | undefined {
    const { workerId, sessionId, model, predictedTokens, cachedTokens } = outcome;
    if (predictedTokens < MIN_TOKENS) return undefined;
    const sums = this.#sumsOf(model);
    sums.predictedTokens += predictedTokens;
    sums.cachedTokens += cachedTokens;
    const key = keyOf(sessionId, model);
    const judged = this.#judged.get(key) ?? { jobs: 0, predictedTokens: 0, cachedTokens: 0 };
    judged.jobs += 1;
    judged.predictedTokens += predictedTokens;
    // What is cached beyond the prediction does not make up for what was missing.
    judged.cachedTokens += Math.min(cachedTokens, predictedTokens);
    this.#judged.delete(key);
    if (judged.jobs < JOBS_JUDGED) {
      this.#judged.set(key, judged);
      this.#bound();
      return undefined;
    }
    if (judged.cachedTokens >= LOWEST_RATE * judged.predictedTokens) return undefined;
    const cold = {
      workerId,
      sessionId,
      model,
      predictedTokens: Math.round(judged.predictedTokens),
      cachedTokens: Math.round(judged.cachedTokens),
      until: now + COLD_MS,
    };
    this.#cold.set(key, cold);
    return cold;
  }

  /** Forgets the pair that was not counted for longest. */
  #bound(): void {
    if (this.#judged.size <= MAX_JUDGED) return;
    for (const key of this.#judged.keys()) {
      this.#judged.delete(key);
      return;
    }
  }

  #sumsOf(model: string): PredictedTokens {
    const known = this.#models.get(model);
    if (known) return known;
    if (this.#models.size >= MAX_MODELS && model !== OTHER) return this.#sumsOf(OTHER);
    const sums = { predictedTokens: 0, cachedTokens: 0 };
    this.#models.set(model, sums);
    return sums;
  }
}

const NONE: readonly ColdWorker[] = [];

function keyOf(sessionId: string, model: string): string {
  return `${sessionId} ${model}`;
}
