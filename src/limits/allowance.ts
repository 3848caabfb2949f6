import type { KeyLimits } from "../keys/key-terms.ts";
import type { Clock } from "../system/deps.ts";
import { Budget, type BudgetState } from "./budget.ts";
import type { Calendar } from "./calendar.ts";
import { BUDGETS, type BudgetKind, type LimitName, type Resource } from "./limit-names.ts";
import { RecentMinute } from "./recent-minute.ts";

/** What a job uses, or is expected to use. */
export interface Amounts {
  /** Input and output together. */
  readonly tokens: number;
  readonly audioSeconds: number;
}

/**
 * Why a job may not begin now. `waitMs` is the time after which it may, as far as is known now; undefined if that depends on
 * the end of another job of the key. A `spent` budget stays so until its window ends.
 */
export type Held =
  | { readonly kind: "busy"; readonly limit: LimitName; readonly max: number; readonly waitMs: number | undefined }
  | {
      readonly kind: "spent";
      readonly limit: LimitName;
      readonly state: BudgetState;
      readonly zone: string | undefined;
    };

/** A job of a key that has begun. */
export interface Begun {
  /**
   * Counts what the job has used, in place of what was reserved for it. MUST be called once when the job ends, with zeros if
   * no worker served it. Later calls do nothing.
   */
  settle(used: Amounts): void;
}

/** One limit with a count, for the dashboard and the holder of the key. */
export interface LimitState {
  readonly limit: LimitName;
  readonly used: number;
  readonly max: number;
  /** When the count begins anew, in milliseconds since 1970; undefined for a limit that is not for a window. */
  readonly resetsAt: number | undefined;
}

/** What a limit per minute leaves now. */
export interface MinuteState {
  readonly max: number;
  readonly left: number;
  /** Milliseconds until all of it is left again if nothing more is used. */
  readonly resetMs: number;
}

export interface AllowanceOptions {
  readonly clock: Pick<Clock, "now" | "elapsed">;
  readonly calendar: Calendar;
  /** Returns what the key has used since a time; for windows that began before the allowance was created. */
  readonly usedSince: (resource: Resource, at: number) => number;
}

/**
 * How much one key may use, and what it has used. Every question and every count is synchronous, so that no two jobs begin
 * by one answer. A job reserves what it is expected to use; a limit can therefore be passed only by as much as the jobs in
 * progress use beyond that, or, for a budget, by what its last job uses.
 */
export class Allowance {
  readonly #options: AllowanceOptions;
  readonly #requests = new RecentMinute();
  readonly #tokens = new RecentMinute();
  readonly #budgets = new Map<BudgetKind, Budget>();
  #limits: KeyLimits;
  #zone: string | undefined;
  #running = 0;
  #waiting = 0;
  #reservedTokens = 0;
  #reservedSeconds = 0;

  constructor(limits: KeyLimits, options: AllowanceOptions) {
    this.#options = options;
    this.#limits = limits;
    this.update(limits);
  }

  /** Takes over other limits. What was counted still counts. */
  update(limits: KeyLimits): void {
    if (limits.timezone !== this.#zone) this.#budgets.clear();
    this.#limits = limits;
    this.#zone = limits.timezone;
    for (const kind of BUDGETS) {
      const max = kind.maxIn(limits);
      const budget = this.#budgets.get(kind);
      if (max === undefined) this.#budgets.delete(kind);
      else if (budget) budget.max = max;
      else this.#budgets.set(kind, this.#budgetOf(kind, max));
    }
  }

  /** Jobs that have begun and not ended. */
  get running(): number {
    return this.#running;
  }

  /** Jobs that wait for their turn under a limit. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether a job waits at a limit that passes by itself. If not, it is refused. */
  get waits(): boolean {
    return this.#limits.onLimit !== "refuse";
  }

  /** Returns why a job may not begin now; undefined if it may. */
  heldBy(expected: Amounts): Held | undefined {
    return this.#spent() ?? this.#busy(expected);
  }

  /** Begins a job. The caller MUST have asked `heldBy` in the same turn. */
  begin(expected: Amounts): Begun {
    const { tokens, audioSeconds } = expected;
    this.#running += 1;
    this.#reservedTokens += tokens;
    this.#reservedSeconds += audioSeconds;
    if (this.#limits.requestsPerMinute !== undefined) this.#requests.add(1, this.#options.clock.elapsed());
    let isSettled = false;
    return {
      settle: (used) => {
        if (isSettled) return;
        isSettled = true;
        this.#running -= 1;
        this.#reservedTokens -= tokens;
        this.#reservedSeconds -= audioSeconds;
        this.count(used);
      },
    };
  }

  /** Counts what was used outside of the jobs that began here, on another server of the cluster for instance. */
  count({ tokens, audioSeconds }: Amounts): void {
    const { clock } = this.#options;
    if (this.#limits.tokensPerMinute !== undefined) this.#tokens.add(tokens, clock.elapsed());
    if (this.#budgets.size === 0) return;
    const now = clock.now();
    for (const [{ resource }, budget] of this.#budgets) budget.add(resource === "tokens" ? tokens : audioSeconds, now);
  }

  /** Counts a job that waits, until `leave`. Returns why it may not wait; undefined if it may. */
  join(): Held | undefined {
    const { maxWaiting } = this.#limits;
    if (maxWaiting !== undefined && this.#waiting >= maxWaiting)
      return { kind: "busy", limit: "max_waiting", max: maxWaiting, waitMs: undefined };
    this.#waiting += 1;
    return undefined;
  }

  leave(): void {
    this.#waiting -= 1;
  }

  requestsLeft(): MinuteState | undefined {
    return stateOf(this.#requests, this.#limits.requestsPerMinute, 0, this.#options.clock.elapsed());
  }

  tokensLeft(): MinuteState | undefined {
    return stateOf(this.#tokens, this.#limits.tokensPerMinute, this.#reservedTokens, this.#options.clock.elapsed());
  }

  /** Lists all limits of the key that count something, with what counts now. */
  states(): readonly LimitState[] {
    const { parallel, requestsPerMinute, tokensPerMinute } = this.#limits;
    const now = this.#options.clock.now();
    const elapsed = this.#options.clock.elapsed();
    const states: LimitState[] = [];
    const add = (limit: LimitName, used: number, max: number | undefined, resetsAt?: number): void => {
      if (max !== undefined) states.push({ limit, used, max, resetsAt });
    };
    add("parallel", this.#running, parallel);
    add("requests_per_minute", this.#requests.sum(elapsed), requestsPerMinute);
    add("tokens_per_minute", this.#tokens.sum(elapsed) + this.#reservedTokens, tokensPerMinute);
    for (const [{ name }, budget] of this.#budgets) {
      const { used, max, window } = budget.state(now);
      add(name, used, max, window.endsAt);
    }
    return states;
  }

  /** Returns the state of the budget for tokens that has the least left; undefined without any. */
  tightestBudget(): BudgetState | undefined {
    const now = this.#options.clock.now();
    let tightest: BudgetState | undefined;
    for (const [{ resource }, budget] of this.#budgets) {
      if (resource !== "tokens") continue;
      const state = budget.state(now);
      if (!tightest || state.max - state.used < tightest.max - tightest.used) tightest = state;
    }
    return tightest;
  }

  /** Finds the spent budget that begins anew last, because the key is held until then. */
  #spent(): Held | undefined {
    if (this.#budgets.size === 0) return undefined;
    const now = this.#options.clock.now();
    let spent: Held | undefined;
    let until = 0;
    for (const [{ name }, budget] of this.#budgets) {
      if (budget.left(now) > 0) continue;
      const state = budget.state(now);
      if (state.window.endsAt <= until) continue;
      until = state.window.endsAt;
      spent = { kind: "spent", limit: name, state, zone: this.#zone };
    }
    return spent;
  }

  /** Finds the limit that holds the job for longest, of those that pass by themselves. */
  #busy(expected: Amounts): Held | undefined {
    const { parallel, requestsPerMinute, tokensPerMinute } = this.#limits;
    if (parallel !== undefined && this.#running >= parallel)
      return { kind: "busy", limit: "parallel", max: parallel, waitMs: undefined };
    const reserved = this.#reserving();
    if (reserved) return reserved;
    const now = this.#options.clock.elapsed();
    const forRequests = requestsPerMinute === undefined ? 0 : this.#requests.msUntil(requestsPerMinute - 1, now);
    const forTokens = tokensPerMinute === undefined ? 0 : this.#msUntilTokens(expected.tokens, tokensPerMinute, now);
    if (forRequests === 0 && forTokens === 0) return undefined;
    return forRequests >= (forTokens ?? Number.POSITIVE_INFINITY)
      ? { kind: "busy", limit: "requests_per_minute", max: requestsPerMinute ?? 0, waitMs: forRequests }
      : { kind: "busy", limit: "tokens_per_minute", max: tokensPerMinute ?? 0, waitMs: forTokens };
  }

  /** Finds a budget that the jobs in progress are expected to use up. Whether they do is known when they end. */
  #reserving(): Held | undefined {
    if (this.#running === 0 || this.#budgets.size === 0) return undefined;
    const now = this.#options.clock.now();
    for (const [{ name, resource }, budget] of this.#budgets) {
      const reserved = resource === "tokens" ? this.#reservedTokens : this.#reservedSeconds;
      if (budget.left(now) <= reserved) return { kind: "busy", limit: name, max: budget.max, waitMs: undefined };
    }
    return undefined;
  }

  /** A job that is expected to use more than the whole limit begins when nothing else counts, since it would never begin otherwise. */
  #msUntilTokens(tokens: number, max: number, now: number): number | undefined {
    const room = Math.max(0, max - tokens);
    if (this.#reservedTokens > room) return undefined;
    return this.#tokens.msUntil(room - this.#reservedTokens, now);
  }

  #budgetOf(kind: BudgetKind, max: number): Budget {
    const { calendar, usedSince } = this.#options;
    const { unit, resource } = kind;
    return new Budget({ unit, zone: this.#zone, max, calendar, usedSince: (at) => usedSince(resource, at) });
  }
}

function stateOf(
  recent: RecentMinute,
  max: number | undefined,
  reserved: number,
  now: number,
): MinuteState | undefined {
  if (max === undefined) return undefined;
  const left = Math.max(0, max - recent.sum(now) - reserved);
  return { max, left, resetMs: recent.msUntil(0, now) };
}
