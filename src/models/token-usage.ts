import type { Usage } from "./ledger.ts";

const MAX_TOKENS = 2 ** 31;

/** A `usage` object of OpenAI's or Anthropic's APIs; undefined when it counts no tokens. */
export function toTokenUsage(usage: Readonly<Record<string, unknown>>): Usage | undefined {
  const input = toCount(usage["prompt_tokens"]) ?? toCount(usage["input_tokens"]);
  const output = toCount(usage["completion_tokens"]) ?? toCount(usage["output_tokens"]);
  return input === undefined && output === undefined
    ? undefined
    : { inputTokens: input ?? 0, outputTokens: output ?? 0 };
}

/** A count as backends state it; what a hostile one makes up is not added to anything. */
function toCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS ? value : undefined;
}
