/** What requests used, added up. All numbers are whole and not negative. */
export interface UsageAmounts {
  readonly requests: number;
  /** Requests that failed. */
  readonly failures: number;
  /** Input tokens, including cached ones. */
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly audioMs: number;
  /** How long requests waited for a slot. */
  readonly waitMs: number;
  /** How long requests held a slot. */
  readonly heldMs: number;
  /** How many of the input and output tokens are estimates, because no response stated them. */
  readonly estimated: number;
}

/** A sum of amounts, to which more can be added. */
export class Sum implements UsageAmounts {
  requests = 0;
  failures = 0;
  input = 0;
  cached = 0;
  output = 0;
  audioMs = 0;
  waitMs = 0;
  heldMs = 0;
  estimated = 0;

  add(more: UsageAmounts): void {
    this.requests += more.requests;
    this.failures += more.failures;
    this.input += more.input;
    this.cached += more.cached;
    this.output += more.output;
    this.audioMs += more.audioMs;
    this.waitMs += more.waitMs;
    this.heldMs += more.heldMs;
    this.estimated += more.estimated;
  }
}

/** The largest amount that one request can add. A model server that states more is wrong. */
const MAX_AMOUNT = 1e12;

/**
 * Returns an amount of one request as a whole number that can be added up; 0 for one that is not positive. Model servers may
 * state any number, and a wrong one would spoil the sum.
 */
export function wholeAmount(value: number | undefined): number {
  // A comparison with NaN is false.
  return value !== undefined && value > 0 ? Math.min(Math.round(value), MAX_AMOUNT) : 0;
}
