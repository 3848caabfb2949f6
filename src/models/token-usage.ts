import type { Usage } from "../figures/units.ts";
import { isRecord } from "../json/parse.ts";

const MAX_TOKENS = 2 ** 31;

/** The tokens of a `usage` object of OpenAI's or Anthropic's APIs; undefined when it counts none. */
export function toTokenUsage(usage: Readonly<Record<string, unknown>>): Usage | undefined {
  const input = toCount(usage["prompt_tokens"]) ?? toCount(usage["input_tokens"]);
  const output = toCount(usage["completion_tokens"]) ?? toCount(usage["output_tokens"]);
  if (input === undefined && output === undefined) return undefined;
  const details = usage["prompt_tokens_details"] ?? usage["input_tokens_details"];
  const cached = isRecord(details) ? toCount(details["cached_tokens"]) : undefined;
  if (cached === undefined) return { input_tokens: input ?? 0, output_tokens: output ?? 0 };
  // In OpenAI's form these are part of the input, so there are never more of them.
  const cached_tokens = Math.min(cached, input ?? 0);
  return { input_tokens: input ?? 0, cached_tokens, output_tokens: output ?? 0 };
}

/** A count as a backend states it; undefined for numbers that only a hostile backend would send. */
function toCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS ? value : undefined;
}
