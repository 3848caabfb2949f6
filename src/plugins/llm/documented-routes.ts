import * as v from "valibot";
import { EXAMPLE_MODELS } from "../../openapi/example-models.ts";

// The requests and answers of the routes that are documented one by one. None of it runs for a request.

/** The field `model` of a request. */
export const model = v.pipe(
  v.string(),
  v.minLength(1),
  v.description(
    "A model that some worker serves; see the list of models. `llama3` also finds `llama3:latest`, and, except for embeddings, `llama3:8b` finds `llama3:8b-instruct-q4_K_M`.",
  ),
  v.examples([EXAMPLE_MODELS.chat]),
);
const embeddingModel = v.pipe(model, v.examples([EXAMPLE_MODELS.embedding]));
const rerankModel = v.pipe(model, v.examples([EXAMPLE_MODELS.rerank]));
const stream = v.optional(v.pipe(v.boolean(), v.description("Answer as server-sent events.")));
const message = v.looseObject({
  role: v.string(),
  content: v.nullable(v.union([v.string(), v.array(v.looseObject({}))])),
});
const messages = v.pipe(v.array(message), v.examples([[{ role: "user", content: "Say hello." }]]));
const text = v.pipe(v.union([v.string(), v.array(v.string())]), v.examples(["A rope ties a boat."]));

/** An object that may have other fields, which the document then allows explicitly. */
export const open = <E extends v.ObjectEntries>(entries: E) => v.objectWithRest(entries, v.unknown());

const usage = v.optional(
  open({ prompt_tokens: v.number(), completion_tokens: v.optional(v.number()), total_tokens: v.number() }),
);
const choice = open({ index: v.number(), finish_reason: v.nullable(v.string()) });

/** What the worker's model server answers, as OpenAI, Anthropic and rerankers define it. Servers may add fields. */
export const ROUTES = {
  "/chat/completions": {
    summary: "Chat",
    body: v.looseObject({ model, messages, stream }),
    answer: open({
      id: v.string(),
      object: v.literal("chat.completion"),
      model: v.string(),
      choices: v.array(open({ ...choice.entries, message })),
      usage,
    }),
    example: {
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1795733625,
      model: EXAMPLE_MODELS.chat,
      choices: [{ index: 0, message: { role: "assistant", content: "Hello." }, finish_reason: "stop" }],
      usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
    },
    events:
      'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hello."}}]}\n\ndata: [DONE]\n\n',
  },
  "/completions": {
    summary: "Complete a text",
    body: v.looseObject({ model, prompt: text, stream }),
    answer: open({
      id: v.string(),
      object: v.literal("text_completion"),
      model: v.string(),
      choices: v.array(open({ ...choice.entries, text: v.string() })),
      usage,
    }),
    example: {
      id: "cmpl-1",
      object: "text_completion",
      created: 1795733625,
      model: EXAMPLE_MODELS.chat,
      choices: [{ index: 0, text: " It holds well.", finish_reason: "stop" }],
      usage: { prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 },
    },
    events: 'data: {"id":"cmpl-1","object":"text_completion","choices":[{"index":0,"text":" It"}]}\n\ndata: [DONE]\n\n',
  },
  "/responses": {
    summary: "Respond (OpenAI's Responses API)",
    body: v.looseObject({ model, input: v.union([v.string(), v.array(v.looseObject({}))]), stream }),
    answer: open({
      id: v.string(),
      object: v.literal("response"),
      status: v.string(),
      model: v.string(),
      output: v.array(open({ type: v.string() })),
    }),
    example: {
      id: "resp_1",
      object: "response",
      created_at: 1795733625,
      status: "completed",
      model: EXAMPLE_MODELS.chat,
      output: [
        {
          id: "msg_1",
          type: "message",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "Hello.", annotations: [] }],
        },
      ],
      usage: { input_tokens: 9, output_tokens: 3, total_tokens: 12 },
    },
    events:
      'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"Hello."}\n\nevent: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_1","status":"completed"}}\n\n',
  },
  "/messages": {
    summary: "Message (Anthropic's Messages API)",
    body: v.looseObject({ model, max_tokens: v.optional(v.number()), messages, stream }),
    answer: open({
      id: v.string(),
      type: v.literal("message"),
      role: v.literal("assistant"),
      model: v.string(),
      content: v.array(open({ type: v.string() })),
      stop_reason: v.nullable(v.string()),
      usage: open({ input_tokens: v.number(), output_tokens: v.number() }),
    }),
    example: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: EXAMPLE_MODELS.chat,
      content: [{ type: "text", text: "Hello." }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 9, output_tokens: 3 },
    },
    events:
      'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello."}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
  },
  "/embeddings": {
    summary: "Embed texts",
    body: v.looseObject({
      model: embeddingModel,
      input: v.pipe(
        v.union([v.string(), v.array(v.string()), v.array(v.number()), v.array(v.array(v.number()))]),
        v.description(
          "One text, texts, one token array, or token arrays, at most 32,768. Many inputs are split among the workers that serve the model. Any other form that the model server takes is passed on whole.",
        ),
        v.examples([["A rope ties a boat.", "A line holds a ship."]]),
      ),
      encoding_format: v.optional(v.picklist(["float", "base64"])),
      dimensions: v.optional(v.number()),
    }),
    answer: open({
      object: v.literal("list"),
      model: v.string(),
      data: v.array(
        open({
          object: v.literal("embedding"),
          index: v.number(),
          embedding: v.union([v.array(v.number()), v.pipe(v.string(), v.description("With `base64`."))]),
        }),
      ),
      usage,
    }),
    example: {
      object: "list",
      model: EXAMPLE_MODELS.embedding,
      data: [
        { object: "embedding", index: 0, embedding: [0.0123, -0.0456, 0.0789] },
        { object: "embedding", index: 1, embedding: [0.0131, -0.0442, 0.0801] },
      ],
      usage: { prompt_tokens: 12, total_tokens: 12 },
    },
  },
  "/rerank": {
    summary: "Rank documents",
    body: v.looseObject({
      model: rerankModel,
      query: v.pipe(v.string(), v.examples(["What ties a boat?"])),
      documents: v.pipe(
        v.array(v.union([v.string(), v.looseObject({})])),
        v.examples([["A rope ties a boat.", "A cat sleeps."]]),
      ),
    }),
    answer: open({
      results: v.array(open({ index: v.number(), relevance_score: v.number() })),
    }),
    example: {
      model: EXAMPLE_MODELS.rerank,
      results: [
        { index: 0, relevance_score: 0.97 },
        { index: 1, relevance_score: 0.02 },
      ],
      usage: { prompt_tokens: 21, total_tokens: 21 },
    },
  },
} as const;

export type DocumentedPath = keyof typeof ROUTES;

/** The paths that are documented one by one. All other paths are routed in the same way. */
export const DOCUMENTED_PATHS = Object.keys(ROUTES) as DocumentedPath[]; // the keys of a literal, which Object.keys types as strings
