import type { Usage } from "../../figures/units.ts";
import { findFirstObject, findLastObject } from "../../json/find-member.ts";
import { toOllamaUsage, toTimingsUsage, toTokenUsage } from "../../models/token-usage.ts";
import type { AnswerEnds } from "../../reply/answer-ends.ts";

/** The tokens that an answer stated last; undefined if it stated none, or none that are plausible. */
export function readUsage(ends: AnswerEnds): Usage | undefined {
  const text = ends.last;
  const last =
    findLastObject(text, "usage", toTokenUsage) ??
    inSeveralLines(text) ??
    findLastObject(ends.sought, "usage", toTokenUsage);
  if (last && (last.input_tokens ?? 0) > 0) return withCached(last, text, ends);
  const elsewhere = last ? undefined : (findLastObject(text, "timings", toTimingsUsage) ?? toOllamaUsage(text));
  if (elsewhere) return elsewhere;
  // A stream of the Messages API may state its input tokens at the start only.
  const first = findFirstObject(ends.first, "usage", toTokenUsage);
  return last ? { ...first, ...last, input_tokens: first?.input_tokens ?? 0 } : first;
}

/** Adds the cached tokens that are stated elsewhere than in the last usage. */
function withCached(last: Usage, text: string, ends: AnswerEnds): Usage {
  if (last.cached_tokens !== undefined) return last;
  // llama.cpp states them in the same event, in the `timings`, and only its newer versions in the usage too.
  const timings = findLastObject(text, "timings", toTimingsUsage);
  if (timings && timings.input_tokens === last.input_tokens) return { ...timings, ...last };
  // The Messages API may state them at the start of a stream only, and repeat the rest of the input at its end.
  if (!text.includes('"message_delta"')) return last;
  const first = findFirstObject(ends.first, "usage", toTokenUsage);
  if (first?.cached_tokens === undefined) return last;
  return { ...first, ...last, input_tokens: Math.max(first.input_tokens ?? 0, last.input_tokens ?? 0) };
}

/** Reads a usage whose JSON is spread over several `data:` lines of one event, which belong together. */
function inSeveralLines(text: string): Usage | undefined {
  if (!/^data:/m.test(text)) return undefined;
  return findLastObject(text.replaceAll(/\r?\ndata: ?/g, "\n"), "usage", toTokenUsage);
}
