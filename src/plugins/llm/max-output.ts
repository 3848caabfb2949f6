/** The members that bound the output, in the order of their precedence: of chat, of older requests and messages, of responses. */
const BOUNDS = ["max_completion_tokens", "max_tokens", "max_output_tokens"] as const;

/** Returns the most tokens of output that a request asks for; undefined if it sets no bound. */
export function maxOutputOf(value: Readonly<Record<string, unknown>>): number | undefined {
  for (const name of BOUNDS) {
    const bound = value[name];
    if (typeof bound === "number" && bound >= 0) return bound;
  }
  return undefined;
}
