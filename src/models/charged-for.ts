import type { Usage } from "../figures/units.ts";
import type { Amounts } from "../pool/charge.ts";

/** The largest amount of one request that counts against limits. Beyond it, a model server states nonsense. */
const MAX_AMOUNT = 1e9;

/** Returns what counts of a request's usage against the limits of its key. Cached input counts in full. */
export function chargedFor(usage: Usage | undefined): Amounts {
  return {
    tokens: amountOf(usage?.input_tokens) + amountOf(usage?.output_tokens),
    audioSeconds: amountOf(usage?.audio_seconds),
  };
}

function amountOf(amount: number | undefined): number {
  // A comparison with NaN is false.
  return amount !== undefined && amount > 0 ? Math.min(amount, MAX_AMOUNT) : 0;
}
