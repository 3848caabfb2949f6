import type { AffinitySource } from "./affinity.ts";

/**
 * The reason why a job went to its worker. The set is closed, because clients see it in `x-moorage-reason` and operators in
 * logs and metrics.
 */
export type RouteReason = AffinitySource | keyof typeof OTHER_REASONS;

const OTHER_REASONS = {
  named: "The request named the worker.",
  response: "The worker has the response that the request continues.",
  only_worker: "No other worker takes requests for the model.",
  retry: "Another worker had failed the request.",
  loaded: "The worker has the model in memory, and others would have to load it first.",
  must_load: "No worker that has the model in memory had a slot free.",
  load_and_speed:
    "Of the workers with a free slot, it was expected to serve the request soonest, by its load and its measured speed.",
  least_loaded: "Of the workers with a free slot, it had the smallest part of its slots in use.",
  first_free: "The request had waited, and this worker was the first to have a slot free.",
  probe: "The worker had failed too often, and this request shows whether it is back.",
  none_healthy: "All workers that could take the request have failed, so they stay in use.",
  peer: "No worker of the server that took the request had a slot free, and one of another server had.",
  parts: "Several workers served parts of the request.",
} as const;

/** Every reason with its meaning. */
export const ROUTE_REASONS: Readonly<Record<RouteReason, string>> = {
  session: "The worker has served the session that the request names.",
  cache_key: "The worker has served requests with the same `prompt_cache_key`.",
  prefix: "The worker has served a request that began like this one.",
  ...OTHER_REASONS,
};

/** The explanation of a choice. */
export interface Route {
  readonly reason: RouteReason;
  /** The part of the prompt that the worker probably has in its cache, from 0 to 1; absent unless it was chosen for that. */
  readonly share?: number;
  /** The number by which the worker was ranked, lowest first; absent if it was not ranked. */
  readonly score?: number;
}
