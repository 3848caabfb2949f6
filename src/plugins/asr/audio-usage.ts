import { findLastObject } from "../../json/find-member.ts";
import type { Usage } from "../../models/ledger.ts";
import { toTokenUsage } from "../../models/token-usage.ts";
import type { AnswerEnds } from "../../reply/answer-ends.ts";

/** A day: what a hostile backend makes up beyond is not added to anything. */
const MAX_SECONDS = 24 * 60 * 60;

/**
 * What a transcription's answer stated: `usage` of seconds or of tokens at its end, and the `duration` that stands at the
 * start of verbose forms. Undefined when it stated nothing that can be believed.
 */
export function readAudioUsage(ends: AnswerEnds): Usage | undefined {
  const usage = findLastObject(ends.last, "usage", toAudioUsage);
  const audioSeconds = usage?.audioSeconds ?? durationIn(ends.first);
  if (audioSeconds === undefined) return usage;
  return { inputTokens: usage?.inputTokens ?? 0, outputTokens: usage?.outputTokens ?? 0, audioSeconds };
}

function toAudioUsage(usage: Readonly<Record<string, unknown>>): Usage | undefined {
  const audioSeconds = toSeconds(usage["seconds"]);
  const tokens = toTokenUsage(usage);
  if (audioSeconds === undefined) return tokens;
  return { ...(tokens ?? { inputTokens: 0, outputTokens: 0 }), audioSeconds };
}

/** Backends write it as a number, early OpenAI answers as text. Quotes inside a text value are escaped. */
function durationIn(start: string): number | undefined {
  return toSeconds(Number(/(?<!\\)"duration"\s*:\s*"?(\d+(?:\.\d+)?)/.exec(start)?.[1]));
}

function toSeconds(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= MAX_SECONDS ? value : undefined;
}
