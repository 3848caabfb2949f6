import type { Config } from "../config.ts";
import type { Work } from "../pool/seat.ts";

/** What a job costs its caller in the queue, in weighted tokens. */
export type CostOf = (work: Work) => number;

/**
 * Output tokens that a slot-second counts as, for a job whose tokens nobody counted: about what one request gets out of a
 * graphics card that serves several. With the default weights a second costs as much as 400 input tokens.
 */
const TOKENS_PER_SECOND = 50;

/** The most tokens of one kind that a job is charged for, whatever its worker claims: no context is longer. */
const MAX_TOKENS = 10_000_000;

/**
 * Creates the cost of jobs: their weighted tokens. A job without a count of tokens is charged for the time that it held its
 * slot, in comparable units: one that broke off or was cancelled, one whose backend counts nothing, and each job of a pool
 * with `isTimed`, where backends count in different units.
 */
export function createCostOf({ input, cached, output }: Config["queueWeights"], isTimed = false): CostOf {
  const perMs = (Math.max(input, cached, output) * TOKENS_PER_SECOND) / 1000;
  return ({ usage, runningMs }) => {
    const asked = usage?.["input_tokens"];
    const answered = usage?.["output_tokens"];
    if (isTimed || (asked === undefined && answered === undefined)) return Math.max(0, runningMs) * perMs;
    const inputTokens = charged(asked);
    const cachedTokens = Math.min(inputTokens, charged(usage?.["cached_tokens"]));
    return (inputTokens - cachedTokens) * input + cachedTokens * cached + charged(answered) * output;
  };
}

function charged(tokens: number | undefined): number {
  return tokens === undefined || !(tokens > 0) ? 0 : Math.min(tokens, MAX_TOKENS);
}
