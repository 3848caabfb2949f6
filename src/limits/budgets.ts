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
  readonly #budgets = new Map<BudgetKind, Budget>();
  #zone: string | undefined;

  constructor(limits: KeyLimits, options: BudgetsOptions) {
    this.#options = options;
    this.update(limits);
  }

  /** Takes over other budgets. What was counted still counts. */
  update(limits: KeyLimits): void {
    if (limits.timezone !== this.#zone) this.#budgets.clear();
    this.#zone = limits.timezone;
    for (const kind of BUDGETS) {
      const max = kind.maxIn(limits);
      const budget = this.#budgets.get(kind);
      if (max === undefined) this.#budgets.delete(kind);
      else if (budget) budget.max = max;
      else this.#budgets.set(kind, this.#budgetOf(kind, max));
    }
  }

  add(used: Amounts, now: number): void {
    for (const [{ resource }, budget] of this.#budgets) budget.add(amountOf(used, resource), now);
  }

  /** Returns the spent budget that resets last, because it holds the key until then; undefined if none is spent. */
  spent(now: number): Held | undefined {
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

  /** Returns a budget that these amounts would use up; undefined if there is none. */
  reserved(amounts: Amounts, now: number): Held | undefined {
    for (const [{ name, resource }, budget] of this.#budgets)
      if (budget.left(now) <= amountOf(amounts, resource))
        return { kind: "busy", limit: name, max: budget.max, waitMs: undefined };
    return undefined;
  }

  /** Returns the state of the budget for tokens that has the least left; undefined without any. */
  tightest(now: number): BudgetState | undefined {
    let tightest: BudgetState | undefined;
    for (const [{ resource }, budget] of this.#budgets) {
      if (resource !== "tokens") continue;
      const state = budget.state(now);
      if (!tightest || state.max - state.used < tightest.max - tightest.used) tightest = state;
    }
    return tightest;
  }

  states(now: number): readonly LimitState[] {
    return [...this.#budgets].map(([{ name: limit }, budget]) => {
      const { used, max, window } = budget.state(now);
      return { limit, used, max, resetsAt: window.endsAt };
    });
  }

  /** Returns what this server has counted towards each budget. */
  own(now: number): readonly OwnSpent[] {
    return [...this.#budgets].map(([{ name }, budget]) => ({ budget: name, ...budget.own(now) }));
  }

  #budgetOf({ unit, resource, name }: BudgetKind, max: number): Budget {
    const { calendar, usedSince, usedBefore, elsewhere } = this.#options;
    return new Budget({
      unit,
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
