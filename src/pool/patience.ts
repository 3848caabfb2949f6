import type { SilenceLimits } from "../system/silence.ts";
import type { Claim } from "./claim.ts";

/**
 * Longest silence on a job of a worker that is kept alive by its heartbeats. Such workers cannot be told a limit, and the
 * predecessor's server waited for them without one.
 */
const KEPT_ALIVE_MS = 10 * 60_000;

/** Returns the limits for a job on the worker of a claim: the job's own, or longer ones for a worker that is kept alive. */
export function patienceWith(claim: Claim, limits: SilenceLimits): SilenceLimits {
  if (!claim.isKeptAlive) return limits;
  return {
    get silenceMs() {
      return Math.max(limits.silenceMs, KEPT_ALIVE_MS);
    },
    get stallMs() {
      return limits.stallMs;
    },
  };
}
