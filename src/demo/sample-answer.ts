import type { PromptCache } from "./prompt-cache.ts";

/** The sample's answer and its pieces. */
export interface SampleAnswer {
  readonly words: readonly string[];
  readonly text: string;
  readonly finish: "stop" | "length";
  /** `cached` is the part of `input` that was in the prompt cache. */
  readonly usage: { readonly input: number; readonly cached: number; readonly output: number };
}

/** The longest part of a question that is repeated. */
const MAX_ECHO_CHARS = 2000;

/** States that it is a sample and repeats the question, so that nobody takes it for a language model. */
export function toAnswer({ prompt, question }: SamplePrompt, cache: PromptCache, maxTokens?: number): SampleAnswer {
  const echo = question.length > MAX_ECHO_CHARS ? `${question.slice(0, MAX_ECHO_CHARS)}…` : question;
  const text = `This is the sample that is built into Moorage, not a language model: it only repeats what it is asked. You asked: ${echo}`;
  const read = prompt.match(/\S+/g) ?? [];
  const all = text.match(/\s*\S+/g) ?? [];
  const words = maxTokens === undefined ? all : all.slice(0, maxTokens);
  return {
    words,
    text: words.join(""),
    finish: words.length < all.length ? "length" : "stop",
    usage: { input: read.length, cached: cache.take(read), output: words.length },
  };
}

/** What the sample reads of a request. */
export interface SamplePrompt {
  /** The whole text, of which each word counts as a token. */
  readonly prompt: string;
  /** The part that is repeated. */
  readonly question: string;
}

/** Returns the prompt of a request with one text. */
export function onlyQuestion(content: unknown): SamplePrompt {
  const text = textOf(content);
  return { prompt: text, question: text };
}

/** Returns the prompt of a conversation. */
export function conversation(messages: readonly unknown[]): SamplePrompt {
  const prompt = messages.map((message) => textOf(field(message, "content"))).join("\n");
  return { prompt, question: lastQuestion(messages) };
}

/** The text of the user's last message, in any form of content; an empty string if there is none. */
function lastQuestion(messages: readonly unknown[]): string {
  const questions = messages.filter((message) => field(message, "role") === "user");
  return textOf(field(questions.at(-1) ?? messages.at(-1), "content"));
}

/** The text of content that is a string or a list of parts; other parts are ignored. */
function textOf(content: unknown): string {
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
