import type { KeyLimits } from "../keys/key-terms.ts";
import type { Clock } from "../system/deps.ts";
import type { BudgetState } from "./budget.ts";
import { Budgets, type BudgetsOptions } from "./budgets.ts";
import type { KeyElsewhere, KeyHolding, OwnSpent } from "./elsewhere.ts";
import { Expectation } from "./expectation.ts";
import type { LimitName } from "./limit-names.ts";
import type { Amounts, Held, LimitState } from "./limit-state.ts";
import { MinuteLimit, type MinuteState } from "./minute-limit.ts";
import {
  heldElsewhere,
  JOBS,
  mayHoldMore,
  type Others,
  othersOf,
  REQUESTS,
  type SharedLimit,
  TOKENS,
} from "./others.ts";

export interface AllowanceOptions extends BudgetsOptions {
  readonly clock: Pick<Clock, "now" | "elapsed">;
  /** What the key holds and uses at other servers; undefined for a server that is the only one. */
  readonly elsewhere?: KeyElsewhere | undefined;
}

/**
 * How much one key may use, and how much it has used. All methods are synchronous, so that no two jobs begin because of one
 * answer. A request is admitted once (`begin`) and reserves what it is expected to use, so a limit can be exceeded only by what
 * the requests in progress use beyond their reservations, or, for a budget, by what its last request uses. The jobs that serve
 * a request, at the same time or one after the other, are counted separately (`occupy`).
 */
export class Allowance {
  /** What requests of the key are expected to use. */
  readonly expectation = new Expectation();
  readonly #options: AllowanceOptions;
  readonly #requests = new MinuteLimit({ isWhole: true });
  readonly #tokens = new MinuteLimit({ isWhole: false });
  readonly #budgets: Budgets;
  #limits: KeyLimits;
  #running = 0;
  /** Admitted requests that have not ended. */
  #open = 0;
  #waiting = 0;
  /** The waiting jobs of pending requests, and the tokens that these are expected to use. */
  #pending = 0;
  #pendingTokens = 0;
  #reservedTokens = 0;
  #reservedSeconds = 0;

  constructor(limits: KeyLimits, options: AllowanceOptions) {
    this.#options = options;
    this.#limits = limits;
    this.#budgets = new Budgets(limits, options);
  }

  /** Takes over other limits. What was counted still counts. */
  update(limits: KeyLimits): void {
    this.#limits = limits;
    this.#budgets.update(limits);
  }

  /** Jobs that have a slot. */
  get running(): number {
    return this.#running;
  }

  /** Jobs that wait, for a limit or for a slot. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether requests are in progress, or jobs run or wait. */
  get isInUse(): boolean {
    return this.#open > 0 || this.#running > 0 || this.#waiting > 0;
  }

  /** Whether a request waits at a limit that is not a used-up budget. If not, it is refused. */
  get waits(): boolean {
    return this.#limits.onLimit !== "refuse";
  }

  /** Returns why a request cannot be admitted now; undefined if it can. */
  heldBy(expected: Amounts): Held | undefined {
    const now = this.#options.clock.now();
    return this.#budgets.spent(now) ?? this.#reserving(now) ?? this.#rated(expected);
  }

  /** Returns why no further job may begin now; undefined if one may. */
  full(): Held | undefined {
    const { parallel } = this.#limits;
    if (parallel === undefined || mayHoldMore(this.#running, parallel, this.#othersWith(JOBS))) return undefined;
    return { kind: "busy", limit: "parallel", max: parallel, waitMs: undefined };
  }

  /** Counts a job that has got a slot. The caller MUST have asked `full` in the same turn. */
  occupy(): void {
    this.#running += 1;
  }

  vacate(): void {
    this.#running -= 1;
  }

  /**
   * Returns the limit for which a request would wait longest if `ahead` others like it are admitted before it. Considers only
   * limits per minute, because nobody knows how long other requests take.
   */
  waitBehind(ahead: number, { tokens }: Amounts): Extract<Held, { readonly kind: "busy" }> | undefined {
    const { requestsPerMinute = 0, tokensPerMinute = 0 } = this.#limits;
    const now = this.#options.clock.elapsed();
    const forRequests = this.#requests.msBehind(requestsPerMinute, ahead, 1, now, this.#othersWith(REQUESTS));
    const forTokens = this.#tokens.msBehind(tokensPerMinute, ahead * tokens, tokens, now, this.#othersWith(TOKENS));
    if (forRequests === 0 && forTokens === 0) return undefined;
    return forRequests >= forTokens
      ? { kind: "busy", limit: "requests_per_minute", max: requestsPerMinute, waitMs: forRequests }
      : { kind: "busy", limit: "tokens_per_minute", max: tokensPerMinute, waitMs: forTokens };
  }

  /** Returns why a request that is no job may not begin now: only the limit of requests per minute counts for it. */
  heldAsRequest(): Held | undefined {
    const { requestsPerMinute: max } = this.#limits;
    const waitMs = max === undefined ? 0 : this.#msUntilRequest(this.#options.clock.elapsed());
    return max === undefined || waitMs === 0 ? undefined : { kind: "busy", limit: "requests_per_minute", max, waitMs };
  }

  /** Counts a request that is no job. The caller MUST have asked `heldAsRequest` in the same turn. */
  countRequest(): void {
    if (this.#limits.requestsPerMinute !== undefined) this.#requests.add(1, this.#options.clock.elapsed());
  }

  /** Admits a request. The caller MUST have asked `heldBy` in the same turn, and MUST call `settle` when the request ends. */
  begin({ tokens, audioSeconds }: Amounts): void {
    this.#open += 1;
    this.#reservedTokens += tokens;
    this.#reservedSeconds += audioSeconds;
    // Other servers need the count to decide which of them is next.
    const isCounted = this.#limits.requestsPerMinute !== undefined || this.#options.elsewhere !== undefined;
    if (isCounted) this.#requests.add(1, this.#options.clock.elapsed());
  }

  /**
   * Counts what an admitted request has used, instead of its reservation. Called once for each, with the amounts that `begin`
   * was given; `used` is zero if no worker served it.
   */
  settle(expected: Amounts, used: Amounts): void {
    this.#open -= 1;
    this.#reservedTokens -= expected.tokens;
    this.#reservedSeconds -= expected.audioSeconds;
    this.count(used);
  }

  /** Counts what was used, also apart from the requests that were admitted here. */
  count(used: Amounts): void {
    const { clock } = this.#options;
    if (this.#limits.tokensPerMinute !== undefined) this.#tokens.add(used.tokens, clock.elapsed());
    this.#budgets.add(used, clock.now());
  }

  /** Returns why no further job may wait; undefined if one may. */
  crowded(): Held | undefined {
    const { maxWaiting } = this.#limits;
    if (maxWaiting === undefined || this.#waiting < maxWaiting) return undefined;
    return { kind: "busy", limit: "max_waiting", max: maxWaiting, waitMs: undefined };
  }

  /** Counts a job that waits, until `leave`. */
  join(): void {
    this.#waiting += 1;
  }

  leave(): void {
    this.#waiting -= 1;
  }

  /** Counts a waiting job of a pending request, until `removePending`. */
  addPending({ tokens }: Amounts): void {
    this.#pending += 1;
    this.#pendingTokens += tokens;
  }

  removePending({ tokens }: Amounts): void {
    this.#pending -= 1;
    this.#pendingTokens -= tokens;
  }

  /** Returns what the limit of requests per minute leaves at a time, which is `Clock.elapsed`; undefined without one. */
  requestsLeft(now: number): MinuteState | undefined {
    const { requestsPerMinute: max } = this.#limits;
    return max === undefined ? undefined : this.#requests.state(max, 0, now, this.#othersWith(REQUESTS));
  }

  /** Returns the same of the limit of tokens per minute. */
  tokensLeft(now: number): MinuteState | undefined {
    const { tokensPerMinute: max } = this.#limits;
    return max === undefined ? undefined : this.#tokens.state(max, this.#reservedTokens, now, this.#othersWith(TOKENS));
  }

  /** Returns what the other servers need to know to keep the limits with this one; undefined if there is nothing to know. */
  holding(): KeyHolding | undefined {
    const { parallel, requestsPerMinute, tokensPerMinute } = this.#limits;
    if (parallel === undefined && requestsPerMinute === undefined && tokensPerMinute === undefined) return undefined;
    const now = this.#options.clock.elapsed();
    const each = this.#pending === 0 ? 0 : this.#pendingTokens / this.#pending;
    return {
      running: this.#running,
      runningWanted: this.#waiting > 0 && this.full() ? this.#waiting : 0,
      requests: this.#requests.sum(now),
      requestsWanted: this.#pending > 0 && this.#msUntilRequest(now) !== 0 ? this.#pending : 0,
      tokens: this.#tokens.sum(now) + this.#reservedTokens,
      tokensWanted: this.#pending > 0 && this.#msUntilTokens(each, now) !== 0 ? this.#pendingTokens : 0,
    };
  }

  /** Returns what this server has counted towards each budget. */
  spent(): readonly OwnSpent[] {
    return this.#budgets.own(this.#options.clock.now());
  }

  /** Lists the limits of the key, apart from `max_waiting`, with what counts towards them now. */
  states(): readonly LimitState[] {
    const { parallel, requestsPerMinute, tokensPerMinute } = this.#limits;
    const elapsed = this.#options.clock.elapsed();
    const states: LimitState[] = [];
    const add = (limit: LimitName, used: number, max: number | undefined): void => {
      if (max !== undefined) states.push({ limit, used, max, resetsAt: undefined });
    };
    const elsewhere = (limit: SharedLimit): number => heldElsewhere(this.#othersWith(limit));
    const tokens = this.#tokens.sum(elapsed) + this.#reservedTokens;
    add("parallel", this.#running + elsewhere(JOBS), parallel);
    add("requests_per_minute", this.#requests.sum(elapsed) + elsewhere(REQUESTS), requestsPerMinute);
    add("tokens_per_minute", tokens + elsewhere(TOKENS), tokensPerMinute);
    return [...states, ...this.#budgets.states(this.#options.clock.now())];
  }

  /** Returns the state of the budget for tokens that has the least left; undefined without any. */
  tightestBudget(): BudgetState | undefined {
    return this.#budgets.tightest(this.#options.clock.now());
  }

  /** Returns the limit per minute that holds the request back for longest. */
  #rated(expected: Amounts): Held | undefined {
    const { requestsPerMinute = 0, tokensPerMinute = 0 } = this.#limits;
    const now = this.#options.clock.elapsed();
    const forRequests = this.#msUntilRequest(now);
    const forTokens = this.#msUntilTokens(expected.tokens, now);
    if (forRequests === 0 && forTokens === 0) return undefined;
    return (forRequests ?? Number.POSITIVE_INFINITY) >= (forTokens ?? Number.POSITIVE_INFINITY)
      ? { kind: "busy", limit: "requests_per_minute", max: requestsPerMinute, waitMs: forRequests }
      : { kind: "busy", limit: "tokens_per_minute", max: tokensPerMinute, waitMs: forTokens };
  }

  /** Returns a budget that the requests in progress are expected to use up. Whether they do is known when they end. */
  #reserving(now: number): Held | undefined {
    if (this.#open === 0) return undefined;
    return this.#budgets.reserved({ tokens: this.#reservedTokens, audioSeconds: this.#reservedSeconds }, now);
  }

  #msUntilRequest(now: number): number | undefined {
    const { requestsPerMinute: max } = this.#limits;
    return max === undefined ? 0 : this.#requests.msUntil(1, max, 0, now, this.#othersWith(REQUESTS));
  }

  #msUntilTokens(tokens: number, now: number): number | undefined {
    const { tokensPerMinute: max } = this.#limits;
    if (max === undefined) return 0;
    return this.#tokens.msUntil(tokens, max, this.#reservedTokens, now, this.#othersWith(TOKENS));
  }

  #othersWith(limit: SharedLimit): Others | undefined {
    const { elsewhere, clock } = this.#options;
    return elsewhere && othersOf(elsewhere, limit, () => this.#requests.sum(clock.elapsed()));
  }
}
