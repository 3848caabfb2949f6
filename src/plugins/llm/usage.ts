import type { Usage } from "../../figures/units.ts";
import { findLastObject } from "../../json/find-member.ts";
import { toTokenUsage } from "../../models/token-usage.ts";
import type { AnswerEnds } from "../../reply/answer-ends.ts";

/** The tokens that an answer stated last; undefined if it stated none, or none that are plausible. */
export function readUsage(ends: AnswerEnds): Usage | undefined {
  const last = findLastObject(ends.last, "usage", toTokenUsage);
  if (last && (last.input_tokens ?? 0) > 0) return last;
  // A stream of the Messages API may state its input tokens at the start only.
  const first = findLastObject(ends.first, "usage", toTokenUsage);
  return last ? { ...last, input_tokens: first?.input_tokens ?? 0 } : first;
}
