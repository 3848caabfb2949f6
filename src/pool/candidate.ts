import type { Demand } from "./directory.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import type { JobSpec } from "./job-spec.ts";
import type { Candidate } from "./queue-policy.ts";

/** Returns a job as its pool needs to know it for a place in the queue. */
export function candidateOf(spec: JobSpec): Candidate {
  const { model, workerId, workerReason, affinity, exact, exchangeKind, excluded = NONE_EXCLUDED } = spec;
  const { caller, endUser, charge } = spec;
  const { tenant } = caller;
  const prefersOwn = caller.prefer === "own" || undefined;
  const demand: Demand = {
    model,
    workerId,
    workerReason,
    affinity,
    exact,
    exchangeKind,
    excluded,
    tenant,
    prefersOwn,
  };
  return { demand, caller, class: spec.class ?? caller.class, endUser, charge };
}
