import type { BudgetState } from "./budget.ts";
import type { LimitName } from "./limit-names.ts";

/** What a job uses, or is expected to use. */
export interface Amounts {
  /** Input and output together. */
  readonly tokens: number;
  readonly audioSeconds: number;
}

/**
 * Why a request is not admitted, or a job may not begin. `waitMs` is how long that will last, as far as is known now; it is
 * undefined if that depends on the end of another request or job of the key. A `spent` budget is used up until its window ends.
 */
export type Held =
  | { readonly kind: "busy"; readonly limit: LimitName; readonly max: number; readonly waitMs: number | undefined }
  | {
      readonly kind: "spent";
      readonly limit: LimitName;
      readonly state: BudgetState;
      readonly zone: string | undefined;
    };

/** One limit and what counts towards it, for the dashboard and the holder of the key. */
export interface LimitState {
  readonly limit: LimitName;
  readonly used: number;
  readonly max: number;
  /** When the count resets, in milliseconds since 1970; undefined for a limit that is not a budget. */
  readonly resetsAt: number | undefined;
}
