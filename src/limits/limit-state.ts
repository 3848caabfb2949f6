import type { BudgetState } from "./budget.ts";
import type { LimitName } from "./limit-names.ts";

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

/** One limit with a count, for the dashboard and the holder of the key. */
export interface LimitState {
  readonly limit: LimitName;
  readonly used: number;
  readonly max: number;
  /** When the count begins anew, in milliseconds since 1970; undefined for a limit that is not for a window. */
  readonly resetsAt: number | undefined;
}
