/** The sample's answer and its pieces. */
export interface SampleAnswer {
  readonly words: readonly string[];
  readonly text: string;
  readonly finish: "stop" | "length";
  readonly usage: { readonly input: number; readonly output: number };
}

/** The longest part of a question that is repeated. */
const MAX_ECHO_CHARS = 2000;

/** States that it is a sample and repeats the question, so that nobody takes it for a language model. */
export function toAnswer(prompt: string, maxTokens: number | undefined): SampleAnswer {
  const echo = prompt.length > MAX_ECHO_CHARS ? `${prompt.slice(0, MAX_ECHO_CHARS)}…` : prompt;
  const text = `This is the sample that is built into Moorage, not a language model: it only repeats what it is asked. You asked: ${echo}`;
  const all = text.match(/\s*\S+/g) ?? [];
  const words = maxTokens === undefined ? all : all.slice(0, maxTokens);
  return {
    words,
    text: words.join(""),
    finish: words.length < all.length ? "length" : "stop",
    usage: { input: prompt.match(/\S+/g)?.length ?? 0, output: words.length },
  };
}

/** The text of the user's last message, in any form of content; an empty string if there is none. */
export function lastQuestion(messages: readonly unknown[]): string {
  const questions = messages.filter((message) => field(message, "role") === "user");
  return textOf(field(questions.at(-1) ?? messages.at(-1), "content"));
}

/** The text of content that is a string or a list of parts; other parts are ignored. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part) => (typeof part === "string" ? part : field(part, "text")))
    .filter((text) => typeof text === "string")
    .join(" ");
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
