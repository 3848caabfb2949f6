import type { AffinitySource } from "./affinity.ts";

/**
 * The reason why a job went to its worker. The set is closed, because clients see it in `x-moorage-reason` and operators in
 * logs; `docs/scheduling.md` has a sentence for each.
 */
export type RouteReason =
  | AffinitySource
  | "named"
  | "response"
  | "only_worker"
  | "least_loaded"
  | "first_free"
  | "retry";

/** The explanation of a choice. */
export interface Route {
  readonly reason: RouteReason;
  /** The part of the prompt that the worker probably has in its cache, from 0 to 1; absent for other reasons. */
  readonly share?: number;
  /** The number by which the worker was ranked, lowest first; absent if it was not ranked. */
  readonly score?: number;
}

/** The client named the worker. */
export const NAMED: Route = { reason: "named" };
/** The worker has the response that the request continues. */
export const RESPONSE: Route = { reason: "response" };
/** No other worker takes jobs for the model. */
export const ONLY_WORKER: Route = { reason: "only_worker" };
/** The job had waited, and this worker was the first to have a slot free. */
export const FIRST_FREE: Route = { reason: "first_free" };
/** Another worker had failed the job. */
export const RETRY: Route = { reason: "retry" };
