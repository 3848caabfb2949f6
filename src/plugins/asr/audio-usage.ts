import type { Usage } from "../../figures/units.ts";
import { findLastObject } from "../../json/find-member.ts";
import { toTokenUsage } from "../../models/token-usage.ts";
import type { AnswerEnds } from "../../reply/answer-ends.ts";

/** A day. Longer audio is a number that a hostile backend made up, and is not counted. */
const MAX_SECONDS = 24 * 60 * 60;

/**
 * The usage that a transcription's answer stated: `usage` in seconds or tokens at its end, and the `duration` at the start
 * of verbose forms. Undefined if it stated none, or none that is plausible.
 */
export function readAudioUsage(ends: AnswerEnds): Usage | undefined {
  const usage = findLastObject(ends.last, "usage", toAudioUsage);
  if (usage?.audio_seconds !== undefined) return usage;
  const seconds = durationIn(ends.first);
  return seconds === undefined ? usage : { ...usage, audio_seconds: seconds };
}

function toAudioUsage(usage: Readonly<Record<string, unknown>>): Usage | undefined {
  const seconds = toSeconds(usage["seconds"]);
  const tokens = toTokenUsage(usage);
  return seconds === undefined ? tokens : { ...tokens, audio_seconds: seconds };
}

/** Reads `duration`, which backends write as a number and early OpenAI answers as a string. Quotes inside strings are escaped. */
function durationIn(start: string): number | undefined {
  return toSeconds(Number(/(?<!\\)"duration"\s*:\s*"?(\d+(?:\.\d+)?)/.exec(start)?.[1]));
}

function toSeconds(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= MAX_SECONDS ? value : undefined;
}
