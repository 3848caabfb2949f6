import type { WorkerSettings } from "./args.ts";

/** The most jobs at once below Bun's limit of 256 fetches, with room for health checks of the backend. */
const SAFE_JOBS = 200;

/**
 * Returns whether a worker with these settings may run more fetches at once than Bun allows by default. A relay to a URL has
 * one for each of its clients that listens, and no limit of its own.
 */
export function mayPassFetchLimit({
  maxConcurrency,
  relays,
}: Pick<WorkerSettings, "maxConcurrency" | "relays">): boolean {
  return (maxConcurrency ?? 0) > SAFE_JOBS || relays.some(({ source }) => source.kind === "url");
}
