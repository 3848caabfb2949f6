import { findLastObject } from "../../json/find-member.ts";
import type { Usage } from "../../models/ledger.ts";
import { toTokenUsage } from "../../models/token-usage.ts";
import type { AnswerEnds } from "../../reply/answer-ends.ts";

/** The tokens that an answer stated last; undefined when it stated nothing that can be believed. */
export function readUsage(ends: AnswerEnds): Usage | undefined {
  const last = findLastObject(ends.last, "usage", toTokenUsage);
  if (last && last.inputTokens > 0) return last;
  // A stream of the Messages API may count its input at the start only.
  const first = findLastObject(ends.first, "usage", toTokenUsage);
  return last ? { inputTokens: first?.inputTokens ?? 0, outputTokens: last.outputTokens } : first;
}
