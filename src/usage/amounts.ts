/** What requests used, added up. All numbers are whole and not negative. */
export interface Amounts {
  readonly requests: number;
  /** Requests that failed. */
  readonly failures: number;
  /** Input tokens, those that came from a cache included. */
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly audioMs: number;
  /** Time for which requests waited for a slot. */
  readonly waitMs: number;
  /** Time for which requests had a slot. */
  readonly heldMs: number;
  /** The part of input and output that is an estimate, because no answer stated it. */
  readonly estimated: number;
}

/** A sum of amounts, to which more can be added. */
export class Sum implements Amounts {
  requests = 0;
  failures = 0;
  input = 0;
  cached = 0;
  output = 0;
  audioMs = 0;
  waitMs = 0;
  heldMs = 0;
  estimated = 0;

  add(more: Amounts): void {
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

/** The largest amount that one request is counted with. Beyond it, a model server states nonsense. */
const MAX_AMOUNT = 1e12;

/** Makes an amount of one request whole. Model servers state any number, and a sum with a wrong one is lost. */
export function wholeAmount(value: number | undefined): number {
  // A comparison with NaN is false.
  return value !== undefined && value > 0 ? Math.min(Math.round(value), MAX_AMOUNT) : 0;
}
