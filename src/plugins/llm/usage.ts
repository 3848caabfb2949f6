import type { Usage } from "../../figures/units.ts";
import { findFirstObject, findLastObject } from "../../json/find-member.ts";
import { toTimingsUsage, toTokenUsage } from "../../models/token-usage.ts";
import type { AnswerEnds } from "../../reply/answer-ends.ts";

/** The tokens that an answer stated last; undefined if it stated none, or none that are plausible. */
export function readUsage(ends: AnswerEnds): Usage | undefined {
  const text = ends.last;
  const last =
    findLastObject(text, "usage", toTokenUsage) ??
    inSeveralLines(text) ??
    findLastObject(ends.sought, "usage", toTokenUsage);
  if (last && (last.input_tokens ?? 0) > 0) return last;
  const timings = last ? undefined : findLastObject(text, "timings", toTimingsUsage);
  if (timings) return timings;
  // A stream of the Messages API may state its input tokens at the start only.
  const first = findFirstObject(ends.first, "usage", toTokenUsage);
  return last ? { ...first, ...last, input_tokens: first?.input_tokens ?? 0 } : first;
}

/** Reads a usage whose JSON is spread over several `data:` lines of one event, which belong together. */
function inSeveralLines(text: string): Usage | undefined {
  if (!/^data:/m.test(text)) return undefined;
  return findLastObject(text.replaceAll(/\r?\ndata: ?/g, "\n"), "usage", toTokenUsage);
}
