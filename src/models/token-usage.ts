import type { Usage } from "../figures/units.ts";
import { isRecord } from "../json/parse.ts";

const MAX_TOKENS = 2 ** 31;

/** The tokens of a `usage` object of OpenAI's or Anthropic's APIs; undefined when it counts none. */
export function toTokenUsage(usage: Readonly<Record<string, unknown>>): Usage | undefined {
  const input = toCount(usage["prompt_tokens"]) ?? toInput(usage);
  const output = toCount(usage["completion_tokens"]) ?? toCount(usage["output_tokens"]);
  if (input === undefined && output === undefined) return undefined;
  const cached = toCached(usage);
  if (cached === undefined) return { input_tokens: input ?? 0, output_tokens: output ?? 0 };
  // These are part of the input, so there are never more of them.
  const cached_tokens = Math.min(cached, input ?? 0);
  return { input_tokens: input ?? 0, cached_tokens, output_tokens: output ?? 0 };
}

/**
 * The part of the input that came from a cache, in the names of OpenAI's APIs and most others, of Anthropic's, of DeepSeek's
 * and of Moonshot's.
 */
function toCached(usage: Readonly<Record<string, unknown>>): number | undefined {
  const details = usage["prompt_tokens_details"] ?? usage["input_tokens_details"];
  return (
    (isRecord(details) ? toCount(details["cached_tokens"]) : undefined) ??
    toCount(usage["cache_read_input_tokens"]) ??
    toCount(usage["prompt_cache_hit_tokens"]) ??
    toCount(usage["cached_tokens"])
  );
}

/**
 * The input in the names of the newer APIs. Anthropic's `input_tokens` leaves out what was read from a cache or written
 * to one.
 */
function toInput(usage: Readonly<Record<string, unknown>>): number | undefined {
  const input = toCount(usage["input_tokens"]);
  if (input === undefined) return undefined;
  const parts = [usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]];
  return parts.reduce<number>((sum, part) => sum + (toCount(part) ?? 0), input);
}

/**
 * The tokens of a `timings` object of llama.cpp, which stands in the last chunk of every stream, also where no usage was
 * asked for; undefined when it counts none.
 */
export function toTimingsUsage(timings: Readonly<Record<string, unknown>>): Usage | undefined {
  const output = toCount(timings["predicted_n"]);
  const evaluated = toCount(timings["prompt_n"]);
  if (output === undefined || evaluated === undefined) return undefined;
  const cached_tokens = toCount(timings["cache_n"]) ?? 0;
  return { input_tokens: evaluated + cached_tokens, cached_tokens, output_tokens: output };
}

/**
 * The tokens that an answer of Ollama's own API states at its end, beside its text; undefined if the text ends no such
 * answer. Ollama leaves out what it has not counted, such as a prompt that was in its cache.
 */
export function toOllamaUsage(text: string): Usage | undefined {
  const output = lastCount(text, "eval_count");
  if (output === undefined || !text.includes('"eval_duration"')) return undefined;
  return { input_tokens: lastCount(text, "prompt_eval_count") ?? 0, output_tokens: output };
}

/** The last member of that name with a number. Quotes inside strings are escaped. */
function lastCount(text: string, name: string): number | undefined {
  const quoted = `"${name}":`;
  const at = text.lastIndexOf(quoted);
  if (at < 0 || text[at - 1] === "\\") return undefined;
  const digits = /^\s*(\d{1,10})\b/.exec(text.slice(at + quoted.length, at + quoted.length + 16))?.[1];
  return digits === undefined ? undefined : toCount(Number(digits));
}

/** A count as a backend states it; undefined for numbers that only a hostile backend would send. */
function toCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS ? value : undefined;
}
