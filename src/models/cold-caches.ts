import type { Metrics } from "../figures/metrics.ts";
import type { Pool } from "../pool/pool.ts";
import type { Moment } from "./moment.ts";

/** A worker whose backend does not keep prompts of a model, so no request is sent to it for their sake. */
export interface ColdCache {
  readonly workerId: string;
  readonly sessionId: string;
  readonly model: string;
  /** `Clock.elapsed` at which it is tried again. */
  readonly until: number;
}

/** Lists the workers whose caches are cold now; a plugin that sends requests to warm workers knows them. */
export type FindColdCaches = () => readonly ColdCache[];

/** A model of a worker for which affinity is off, in the State API. */
export interface AffinityOffState {
  readonly model: string;
  /** RFC 3339: when it is tried again. */
  readonly until: string;
}

/** The cold caches of a plugin's connected workers. */
export class ColdCaches {
  readonly #pool: Pool;
  #find: FindColdCaches = () => [];
  #seen = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Asks this source from now on. */
  watch(find: FindColdCaches): void {
    this.#find = find;
  }

  /** Returns the cold caches of workers that are still connected. */
  current(): readonly ColdCache[] {
    const all = this.#find();
    if (all.length === 0) return all;
    return all.filter(({ workerId, sessionId }) => this.#pool.seatOf(workerId)?.session.id === sessionId);
  }

  /** Describes them by the ids of their workers' sessions. */
  bySession(now: Moment): ReadonlyMap<string, readonly AffinityOffState[]> {
    const found = new Map<string, AffinityOffState[]>();
    for (const { sessionId, model, until } of this.current()) {
      const own = found.get(sessionId) ?? [];
      found.set(sessionId, own);
      own.push({ model, until: new Date(now.at + until - now.elapsed).toISOString() });
    }
    return found;
  }

  /** Notes a change that no event announces. MUST be called once a second. */
  look(): void {
    const { length } = this.current();
    if (length !== this.#seen) this.#pool.touch();
    this.#seen = length;
  }

  register(metrics: Metrics, plugin: string): void {
    metrics.gauge(
      "moorage_affinity_off",
      "Models of workers that get no request for the sake of their cache, because their backends did not keep prompts.",
      ["plugin"],
      () => [{ labels: { plugin }, value: this.current().length }],
    );
  }
}
