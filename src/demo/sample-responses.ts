import type { SampleAnswer } from "./sample-answer.ts";
import type { AnswerHead } from "./sample-chat.ts";

/** The whole answer of the Responses API. */
export function responseObject(head: AnswerHead, answer: SampleAnswer): object {
  return {
    ...shell(head),
    ...ending(answer),
    output: [message(head, answer.text, "completed")],
    usage: toUsage(answer),
  };
}

/** The same answer as the events of a stream: named, numbered, one delta per word. */
export function* responseEvents(head: AnswerHead, answer: SampleAnswer): Generator<string> {
  let sequence_number = 0;
  const event = (type: string, fields: object): string => {
    const data = { type, sequence_number, ...fields };
    sequence_number += 1;
    return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  };
  const begun = { ...shell(head), status: "in_progress", output: [], usage: null };
  const item_id = messageId(head);
  const place = { item_id, output_index: 0, content_index: 0 };
  yield event("response.created", { response: begun });
  yield event("response.in_progress", { response: begun });
  yield event("response.output_item.added", {
    output_index: 0,
    item: { ...message(head, "", "in_progress"), content: [] },
  });
  yield event("response.content_part.added", { ...place, part: textPart("") });
  for (const delta of answer.words) yield event("response.output_text.delta", { ...place, delta, logprobs: [] });
  yield event("response.output_text.done", { ...place, text: answer.text, logprobs: [] });
  yield event("response.content_part.done", { ...place, part: textPart(answer.text) });
  yield event("response.output_item.done", { output_index: 0, item: message(head, answer.text, "completed") });
  const last = answer.finish === "stop" ? "response.completed" : "response.incomplete";
  yield event(last, { response: responseObject(head, answer) });
}

/** Fields that the official clients expect, although the sample does not use them. */
function shell({ id, created, model }: AnswerHead): object {
  return {
    id,
    object: "response",
    created_at: created,
    model,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    parallel_tool_calls: false,
    temperature: null,
    tool_choice: "auto",
    tools: [],
    top_p: null,
  };
}

function ending({ finish }: SampleAnswer): object {
  if (finish === "stop") return { status: "completed" };
  return { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } };
}

function message(head: AnswerHead, text: string, status: string): object {
  return { id: messageId(head), type: "message", role: "assistant", status, content: [textPart(text)] };
}

function messageId({ id }: AnswerHead): string {
  return id.replace(/^resp_/, "msg_");
}

function textPart(text: string): object {
  return { type: "output_text", text, annotations: [] };
}

function toUsage({ usage: { input, cached, output } }: SampleAnswer): object {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
}
