import type { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { SilenceWatch } from "../system/silence.ts";
import type { Exchange } from "../tunnel/exchange.ts";
import type { Claim } from "./claim.ts";
import { silenceFault } from "./job-faults.ts";
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

/**
 * Cancels an exchange that halts for too long. A client that takes nothing counts as gone. A worker that sends nothing is
 * told to stop; `onSilent` is called before, with the client's error.
 */
export function watchSilence(
  clock: Clock,
  exchange: Exchange,
  limits: Patience,
  onSilent: (fault: Fault) => void,
): SilenceWatch {
  return new SilenceWatch(clock, exchange, limits, (isStall) => {
    if (!isStall) onSilent(silenceFault(limits.silenceMs, limits.silenceSetting));
    exchange.cancel(isStall ? "canceled" : "timeout");
  });
}
