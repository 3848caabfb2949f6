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
 * Why a request is not let in, or a job may not begin now. `waitMs` is the time after which it may, as far as is known now;
 * undefined if that depends on the end of another one of the key. A `spent` budget stays so until its window ends.
 */
export type Held =
  | { readonly kind: "busy"; readonly limit: LimitName; readonly max: number; readonly waitMs: number | undefined }
  | {
      readonly kind: "spent";
      readonly limit: LimitName;
      readonly state: BudgetState;
      readonly zone: string | undefined;
    };

/** A request of a key that was let in. */
export interface Begun {
  /**
   * Counts what the request has used, in place of what was reserved for it. MUST be called once when the request ends, with
   * zeros if no worker served it. Later calls do nothing.
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
 * by one answer. A request is let in once (`begin`) and reserves what it is expected to use; a limit can therefore be passed
 * only by as much as the requests in progress use beyond that, or, for a budget, by what its last request uses. The jobs
 * that serve it, at one time or one after the other, are counted apart (`occupy`).
 */
export class Allowance {
  readonly #options: AllowanceOptions;
  readonly #requests = new RecentMinute();
  readonly #tokens = new RecentMinute();
  readonly #budgets = new Map<BudgetKind, Budget>();
  #limits: KeyLimits;
  #zone: string | undefined;
  #running = 0;
  /** Requests that were let in and have not ended. */
  #open = 0;
  #waiting = 0;
  #typicalOutput = FIRST_OUTPUT;
  #typicalSeconds = 0;
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

  /** Jobs that have a slot. */
  get running(): number {
    return this.#running;
  }

  /** Jobs that wait, for a limit or for a slot. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether a job waits at a limit that passes by itself. If not, it is refused. */
  get waits(): boolean {
    return this.#limits.onLimit !== "refuse";
  }

  /** Returns what a request is expected to use: its input, and as much output and audio as others of the key have had. */
  expect({
    inputTokens,
    maxOutput,
  }: {
    readonly inputTokens: number;
    readonly maxOutput: number | undefined;
  }): Amounts {
    const output = Math.min(maxOutput ?? Number.POSITIVE_INFINITY, this.#typicalOutput);
    return { tokens: inputTokens + Math.round(output), audioSeconds: this.#typicalSeconds };
  }

  /** Learns what a request has used. */
  learn(inputTokens: number, { tokens, audioSeconds }: Amounts): void {
    if (tokens > 0) this.#typicalOutput += LEARNED * (Math.max(0, tokens - inputTokens) - this.#typicalOutput);
    if (audioSeconds > 0) this.#typicalSeconds += LEARNED * (audioSeconds - this.#typicalSeconds);
  }

  /** Returns why a request is not let in now; undefined if it is. */
  heldBy(expected: Amounts): Held | undefined {
    return this.#spent() ?? this.#reserving() ?? this.#rated(expected);
  }

  /** Returns why no further job may begin now; undefined if one may. */
  full(): Held | undefined {
    const { parallel } = this.#limits;
    if (parallel === undefined || this.#running < parallel) return undefined;
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
   * Returns the limit for which a request would wait longest before it is let in, if `ahead` others like it are let in before.
   * It knows only limits per minute: how long other requests take is not known.
   */
  waitBehind(ahead: number, { tokens }: Amounts): Extract<Held, { readonly kind: "busy" }> | undefined {
    const { requestsPerMinute, tokensPerMinute } = this.#limits;
    const now = this.#options.clock.elapsed();
    const forRequests = msBehind(this.#requests, requestsPerMinute, ahead, 1, now);
    const forTokens = msBehind(this.#tokens, tokensPerMinute, ahead * tokens, tokens, now);
    if (forRequests === 0 && forTokens === 0) return undefined;
    return forRequests >= forTokens
      ? { kind: "busy", limit: "requests_per_minute", max: requestsPerMinute ?? 0, waitMs: forRequests }
      : { kind: "busy", limit: "tokens_per_minute", max: tokensPerMinute ?? 0, waitMs: forTokens };
  }

  /** Lets a request in. The caller MUST have asked `heldBy` in the same turn. */
  begin(expected: Amounts): Begun {
    const { tokens, audioSeconds } = expected;
    this.#open += 1;
    this.#reservedTokens += tokens;
    this.#reservedSeconds += audioSeconds;
    if (this.#limits.requestsPerMinute !== undefined) this.#requests.add(1, this.#options.clock.elapsed());
    let isSettled = false;
    return {
      settle: (used) => {
        if (isSettled) return;
        isSettled = true;
        this.#open -= 1;
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

  /** Finds the limit per minute that holds the request for longest. */
  #rated(expected: Amounts): Held | undefined {
    const { requestsPerMinute, tokensPerMinute } = this.#limits;
    const now = this.#options.clock.elapsed();
    const forRequests = requestsPerMinute === undefined ? 0 : this.#requests.msUntil(requestsPerMinute - 1, now);
    const forTokens = tokensPerMinute === undefined ? 0 : this.#msUntilTokens(expected.tokens, tokensPerMinute, now);
    if (forRequests === 0 && forTokens === 0) return undefined;
    return forRequests >= (forTokens ?? Number.POSITIVE_INFINITY)
      ? { kind: "busy", limit: "requests_per_minute", max: requestsPerMinute ?? 0, waitMs: forRequests }
      : { kind: "busy", limit: "tokens_per_minute", max: tokensPerMinute ?? 0, waitMs: forTokens };
  }

  /** Finds a budget that the requests in progress are expected to use up. Whether they do is known when they end. */
  #reserving(): Held | undefined {
    if (this.#open === 0 || this.#budgets.size === 0) return undefined;
    const now = this.#options.clock.now();
    for (const [{ name, resource }, budget] of this.#budgets) {
      const reserved = resource === "tokens" ? this.#reservedTokens : this.#reservedSeconds;
      if (budget.left(now) <= reserved) return { kind: "busy", limit: name, max: budget.max, waitMs: undefined };
    }
    return undefined;
  }

  /** A request that is expected to use more than the whole limit begins when nothing else counts, since it would never begin otherwise. */
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

/** The output that a request is expected to have before the key has had any: a short chat. */
const FIRST_OUTPUT = 256;
/** The weight of the latest request in what is typical of a key. */
const LEARNED = 0.2;
const MINUTE_MS = 60_000;

/** Returns the milliseconds until `own` fits into a limit per minute after `ahead` was let in before it. */
function msBehind(recent: RecentMinute, max: number | undefined, ahead: number, own: number, now: number): number {
  if (max === undefined || max <= 0) return 0;
  const minutes = Math.floor(ahead / max);
  return minutes * MINUTE_MS + recent.msUntil(Math.max(0, max - own - (ahead - minutes * max)), now);
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
