import type { KeyLimits } from "../keys/key-terms.ts";
import { Budget, type BudgetState } from "./budget.ts";
import type { Calendar } from "./calendar.ts";
import type { KeyElsewhere, OwnSpent } from "./elsewhere.ts";
import { BUDGETS, type BudgetKind, type Resource } from "./limit-names.ts";
import type { Amounts, Held, LimitState } from "./limit-state.ts";

export interface BudgetsOptions {
  readonly calendar: Calendar;
  /** Returns what the key has used since a time; for windows that began before the budgets were created. */
  readonly usedSince: (resource: Resource, at: number) => number;
  /** Returns the part of that which was used before the server started. Needed only with `elsewhere`. */
  readonly usedBefore?: ((resource: Resource, at: number) => number) | undefined;
  /** What the key uses at other servers; undefined for a server that is the only one. */
  readonly elsewhere?: Pick<KeyElsewhere, "spent"> | undefined;
}

/** The budgets of one key. Times are `Clock.now`. */
export class Budgets {
  readonly #options: BudgetsOptions;
  /** In the order of `BUDGETS`. */
  #budgets: readonly Budget[] = [];
  #zone: string | undefined;

  constructor(limits: KeyLimits, options: BudgetsOptions) {
    this.#options = options;
    this.update(limits);
  }

  /** Takes over other budgets. What was counted still counts. */
  update(limits: KeyLimits): void {
    const before = limits.timezone === this.#zone ? this.#budgets : [];
    this.#zone = limits.timezone;
    this.#budgets = BUDGETS.flatMap((kind) => {
      const max = kind.maxIn(limits);
      if (max === undefined) return [];
      const budget = before.find((each) => each.kind === kind) ?? this.#budgetOf(kind, max);
      budget.max = max;
      return [budget];
    });
  }

  add(used: Amounts, now: number): void {
    for (const budget of this.#budgets) budget.add(amountOf(used, budget.kind.resource), now);
  }

  /** Returns the spent budget that resets last, because it holds the key until then; undefined if none is spent. */
  spent(now: number): Held | undefined {
    let spent: Held | undefined;
    let until = 0;
    for (const budget of this.#budgets) {
      if (budget.left(now) > 0) continue;
      const state = budget.state(now);
      if (state.window.endsAt <= until) continue;
      until = state.window.endsAt;
      spent = { kind: "spent", limit: budget.kind.name, state, zone: this.#zone };
    }
    return spent;
  }

  /** Returns a budget that these amounts would use up; undefined if there is none. */
  reserved(amounts: Amounts, now: number): Held | undefined {
    for (const budget of this.#budgets) {
      const { kind, max } = budget;
      if (budget.left(now) <= amountOf(amounts, kind.resource))
        return { kind: "busy", limit: kind.name, max, waitMs: undefined };
    }
    return undefined;
  }

  /** Returns the state of the budget for tokens that has the least left; undefined without any. */
  tightest(now: number): BudgetState | undefined {
    let tightest: BudgetState | undefined;
    for (const budget of this.#budgets) {
      if (budget.kind.resource !== "tokens") continue;
      const state = budget.state(now);
      if (!tightest || state.max - state.used < tightest.max - tightest.used) tightest = state;
    }
    return tightest;
  }

  states(now: number): readonly LimitState[] {
    return this.#budgets.map((budget) => {
      const { used, max, window } = budget.state(now);
      return { limit: budget.kind.name, used, max, resetsAt: window.endsAt };
    });
  }

  /** Returns what this server has counted towards each budget. */
  own(now: number): readonly OwnSpent[] {
    return this.#budgets.map((budget) => ({ budget: budget.kind.name, ...budget.own(now) }));
  }

  #budgetOf(kind: BudgetKind, max: number): Budget {
    const { resource, name } = kind;
    const { calendar, usedSince, usedBefore, elsewhere } = this.#options;
    return new Budget({
      kind,
      zone: this.#zone,
      max,
      calendar,
      usedSince: (at) => usedSince(resource, at),
      usedBefore: usedBefore && ((at) => usedBefore(resource, at)),
      elsewhere: elsewhere && ((startsAt) => elsewhere.spent(name, startsAt)),
    });
  }
}

function amountOf({ tokens, audioSeconds }: Amounts, resource: Resource): number {
  return resource === "tokens" ? tokens : audioSeconds;
}
