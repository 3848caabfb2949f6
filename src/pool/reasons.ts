import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import type { Demand } from "./directory.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import { unsupportedByWorker } from "./job-faults.ts";
import { mayUse } from "./may-use.ts";
import {
  justStartedFault,
  modelNotFoundFault,
  modelNotVisibleFault,
  notReadyFault,
  notToldFault,
  RETRY_AFTER_S,
} from "./pool-faults.ts";
import type { PoolModels } from "./pool-models.ts";
import type { Candidate } from "./queue-policy.ts";
import type { Reach } from "./reach.ts";

export interface ReasonsOptions {
  readonly clock: Clock;
  /** How many jobs may wait, apart from those that have had a slot before. */
  readonly queueSize: number;
  /** How long after its start a pool takes an unknown model for one whose workers are on their way back; 0 unless given. */
  readonly startGraceMs?: number;
}

/** Finds the reason why a pool gives a job no slot. */
export class Reasons {
  readonly #reach: Reach;
  readonly #models: PoolModels;
  readonly #options: ReasonsOptions;
  readonly #startedAt: number;

  constructor(reach: Reach, models: PoolModels, options: ReasonsOptions) {
    this.#reach = reach;
    this.#models = models;
    this.#options = options;
    this.#startedAt = options.clock.elapsed();
  }

  /** How many milliseconds of the grace period after the start are left. */
  get startGraceLeftMs(): number {
    const { clock, startGraceMs = 0 } = this.#options;
    return Math.max(0, this.#startedAt + startGraceMs - clock.elapsed());
  }

  /** Whether the model, and the worker if one is named, are here or were here within their grace period. */
  isKnown(demand: Demand): boolean {
    return !this.#isWorkerMissing(demand) && this.#models.isKnown(demand);
  }

  /**
   * Throws for a job for which waiting makes no sense: its model or worker is not known, or its caller may not use the
   * model. Shortly after the start an unknown model may wait, because its workers may be on their way here.
   */
  assertMayWait({ demand, caller }: Candidate, isAllowed: boolean): void {
    const { model } = demand;
    if (isAllowed && this.isKnown(demand)) return this.#assertKindTaken(demand);
    if (isAllowed && this.startGraceLeftMs > 0) return;
    if (isAllowed && !this.#models.isSettled) throw notToldFault(demand);
    if (this.#isWorkerMissing(demand)) throw new Fault("worker_not_found", { param: "worker_id" });
    const { tenant } = demand;
    const served = this.#models
      .served()
      .filter((each) => tenant === undefined || this.#models.isServedFor(each, tenant));
    const visible = served.filter((each) => mayUse(caller, each));
    if (served.length > 0 && visible.length === 0) throw modelNotVisibleFault(model);
    throw modelNotFoundFault(model, visible, this.#reach.sizeFor(tenant));
  }

  /** Whether the worker that is named is not known to the caller: for other tenants than its own, it does not exist. */
  #isWorkerMissing({ workerId, tenant }: Demand): boolean {
    return workerId !== undefined && !this.#reach.isKnownWorker(workerId, tenant);
  }

  /**
   * Throws if workers serve the model but none takes the kind of exchange, since waiting would change nothing. A job
   * that has lost such a worker waits for its return.
   */
  #assertKindTaken(demand: Demand): void {
    const { exchangeKind, excluded } = demand;
    if (exchangeKind === undefined || excluded !== NONE_EXCLUDED || this.#reach.isServed(demand, false)) return;
    if (this.#reach.isServed({ ...demand, exchangeKind: undefined }, false)) throw unsupportedByWorker(exchangeKind);
  }

  /** The fault for a job that may not wait because too many others do. */
  full(demand: Demand): Fault {
    if (this.#options.queueSize === 0 && !this.#reach.isServed(demand, true)) return this.unavailable(demand);
    return new Fault("queue_full", { retryAfterS: RETRY_AFTER_S });
  }

  /** The fault for a job whose wait has reached its deadline. */
  timeout(demand: Demand): Fault {
    return this.#reach.isServed(demand, true)
      ? new Fault("queue_timeout", { retryAfterS: RETRY_AFTER_S })
      : this.unavailable(demand);
  }

  /** The fault for a job whose model no worker serves right now. */
  unavailable(demand: Demand): Fault {
    return this.startGraceLeftMs === 0 || this.isKnown(demand) ? notReadyFault(demand) : justStartedFault(demand);
  }

  /** The fault for a job whose model no worker has brought within the grace period after the start. */
  notBrought(demand: Demand): Fault {
    return justStartedFault(demand);
  }
}
