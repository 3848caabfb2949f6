import type { Clock } from "../system/deps.ts";
import type { ExchangeEnd } from "../tunnel/exchange.ts";
import type { ResponseHead } from "../wire/heads.ts";
import type { Claim } from "./claim.ts";
import type { FailedAttempt, LastAttempt } from "./job-spec.ts";
import { verdictOf } from "./routing/verdict.ts";

/** One try of a job on one worker: the head of the answer, and its times. */
export class Attempt {
  readonly claim: Claim;
  #head: ResponseHead | undefined;
  readonly #clock: Clock;
  readonly #startedAt: number;
  #firstByteMs: number | undefined;

  constructor(claim: Claim, clock: Clock) {
    this.claim = claim;
    this.#clock = clock;
    this.#startedAt = clock.elapsed();
  }

  /** Its times so far. */
  get times(): LastAttempt {
    return { runningMs: this.#runningMs, firstByteMs: this.#firstByteMs };
  }

  /** The answer's head while no byte has followed it: until then the job can still go elsewhere. */
  get heldHead(): ResponseHead | undefined {
    return this.#firstByteMs === undefined ? this.#head : undefined;
  }

  /** Takes the answer's head, and holds it. */
  hold(head: ResponseHead): void {
    this.#head = head;
  }

  /** Notes the first byte of the answer, or the end of an empty one. */
  begin(): void {
    this.#firstByteMs = this.#runningMs;
  }

  /**
   * Tells the pool what the end of the attempt says of the worker. With `wasSilent`, this server gave up because the worker
   * sent nothing. Returns the failure if it was the worker's, for a job that goes on elsewhere.
   */
  judge(end: ExchangeEnd, wasSilent: boolean): FailedAttempt | undefined {
    const { claim } = this;
    const verdict = verdictOf({ end, head: this.#head, wasSilent });
    claim.judge(verdict);
    const { reason } = verdict;
    return reason === undefined ? undefined : { claim, reason, runningMs: this.#runningMs };
  }

  get #runningMs(): number {
    return this.#clock.elapsed() - this.#startedAt;
  }
}
