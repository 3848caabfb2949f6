import type { SampleAnswer } from "./sample-answer.ts";

/** Fields that every chunk of an answer repeats. */
export interface AnswerHead {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** The whole answer of `chat/completions`. */
export function chatCompletion(head: AnswerHead, answer: SampleAnswer): object {
  const message = { role: "assistant", content: answer.text, refusal: null };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: answer.finish }];
  return { ...head, object: "chat.completion", choices, usage: toUsage(answer) };
}

/** The same answer as the events of a stream, one per word. */
export function* chatEvents(head: AnswerHead, answer: SampleAnswer, withUsage: boolean): Generator<string> {
  const chunk = (choices: readonly object[], usage: object | null = null): string =>
    event({ ...head, object: "chat.completion.chunk", choices, ...(withUsage ? { usage } : {}) });
  const choice = (delta: object, finish_reason: string | null): readonly object[] => [
    { index: 0, delta, logprobs: null, finish_reason },
  ];
  yield chunk(choice({ role: "assistant", content: "" }, null));
  for (const word of answer.words) yield chunk(choice({ content: word }, null));
  yield chunk(choice({}, answer.finish));
  if (withUsage) yield chunk([], toUsage(answer));
  yield "data: [DONE]\n\n";
}

/** The whole answer of the legacy `completions`. */
export function textCompletion(head: AnswerHead, answer: SampleAnswer): object {
  const choices = [{ index: 0, text: answer.text, logprobs: null, finish_reason: answer.finish }];
  return { ...head, object: "text_completion", choices, usage: toUsage(answer) };
}

export function* textEvents(head: AnswerHead, answer: SampleAnswer, withUsage: boolean): Generator<string> {
  const chunk = (choices: readonly object[], usage: object | null = null): string =>
    event({ ...head, object: "text_completion", choices, ...(withUsage ? { usage } : {}) });
  for (const text of answer.words) yield chunk([{ index: 0, text, logprobs: null, finish_reason: null }]);
  yield chunk([{ index: 0, text: "", logprobs: null, finish_reason: answer.finish }]);
  if (withUsage) yield chunk([], toUsage(answer));
  yield "data: [DONE]\n\n";
}

function toUsage({ usage: { input, cached, output } }: SampleAnswer): object {
  const prompt_tokens_details = { cached_tokens: cached };
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output, prompt_tokens_details };
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
