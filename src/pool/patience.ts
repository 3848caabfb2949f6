import type { Claim } from "./claim.ts";
import type { JobSpec, Patience } from "./job-spec.ts";

/**
 * Returns the limits for a job on the worker of a claim. Workers that are kept alive by their heartbeats cannot be told a
 * limit, and the predecessor's server waited for them without one, so their jobs may be silent for longer.
 */
export function patienceWith(claim: Claim, spec: JobSpec): Patience {
  const { keptAlive, silenceMs, stallMs } = spec;
  if (!claim.isKeptAlive || keptAlive === undefined || keptAlive.silenceMs <= silenceMs) return spec;
  return { ...keptAlive, stallMs };
}
