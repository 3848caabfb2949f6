import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import type { Demand, Directory } from "./directory.ts";
import { NONE_EXCLUDED } from "./excluded.ts";
import { unsupportedByWorker } from "./job-faults.ts";
import {
  justStartedFault,
  modelNotFoundFault,
  modelNotVisibleFault,
  notReadyFault,
  RETRY_AFTER_S,
} from "./pool-faults.ts";
import type { Candidate } from "./queue-policy.ts";

export interface ReasonsOptions {
  readonly clock: Clock;
  /** How many jobs may wait, apart from those that have had a slot before. */
  readonly queueSize: number;
  /** For how long after its start a pool takes an unknown model for one whose workers are on their way back; 0 unless given. */
  readonly startGraceMs?: number;
}

/** Finds the reason why a pool gives a job no slot. */
export class Reasons {
  readonly #directory: Directory;
  readonly #options: ReasonsOptions;
  readonly #startedAt: number;

  constructor(directory: Directory, options: ReasonsOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#startedAt = options.clock.elapsed();
  }

  /** Throws for a model or worker that is not known, so that waiting for it makes no sense. */
  assertKnown({ demand, caller }: Candidate, isAllowed: boolean): void {
    const { model, workerId } = demand;
    const isWorkerMissing = workerId !== undefined && !this.#directory.isKnownWorker(workerId);
    if (isAllowed && !isWorkerMissing && this.#directory.isKnownModel(demand)) return this.#assertKindTaken(demand);
    const isJustStarted = this.#options.clock.elapsed() - this.#startedAt < (this.#options.startGraceMs ?? 0);
    if (isJustStarted) throw justStartedFault(demand);
    if (isWorkerMissing) throw new Fault("worker_not_found", { param: "worker_id" });
    const known = this.#directory.knownModels();
    const visible = known.filter((each) => caller.may(each));
    if (known.length > 0 && visible.length === 0) throw modelNotVisibleFault(model);
    throw modelNotFoundFault(model, visible, this.#directory.size);
  }

  /**
   * Throws if workers serve the model but none takes the kind of exchange, since waiting would change nothing. A job
   * that has lost such a worker waits for its return.
   */
  #assertKindTaken(demand: Demand): void {
    const { exchangeKind, excluded } = demand;
    if (exchangeKind === undefined || excluded !== NONE_EXCLUDED || this.#directory.isServed(demand, false)) return;
    if (this.#directory.isServed({ ...demand, exchangeKind: undefined }, false))
      throw unsupportedByWorker(exchangeKind);
  }

  /** The fault for a job that may not wait because too many others do. */
  full(demand: Demand): Fault {
    if (this.#options.queueSize === 0 && !this.#directory.isServed(demand, true)) return notReadyFault(demand);
    return new Fault("queue_full", { retryAfterS: RETRY_AFTER_S });
  }

  /** The fault for a job whose wait has reached its deadline. */
  timeout(demand: Demand): Fault {
    return this.#directory.isServed(demand, true)
      ? new Fault("queue_timeout", { retryAfterS: RETRY_AFTER_S })
      : notReadyFault(demand);
  }
}
