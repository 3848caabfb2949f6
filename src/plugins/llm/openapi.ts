import * as v from "valibot";
import { type AnswerDoc, API_KEY_SECURITY, doc, errorResponses } from "../../openapi/schema.ts";

// How the API's description shows the plugin's routes. None of it runs for a request.

export const INFERENCE = {
  name: "Inference",
  description: "Chat, completions, responses, messages, embeddings: OpenAI's API, served by workers.",
};

const model = v.pipe(
  v.string(),
  v.description(
    "A model that some worker serves; see the list of models. `llama3` also finds `llama3:latest`, and, except for embeddings, `llama3:8b` finds `llama3:8b-instruct-q4_K_M`.",
  ),
  v.examples(["llama3:8b"]),
);
const stream = v.optional(v.pipe(v.boolean(), v.description("Answer as server-sent events.")));
const message = v.looseObject({
  role: v.string(),
  content: v.nullable(v.union([v.string(), v.array(v.looseObject({}))])),
});
const messages = v.pipe(v.array(message), v.examples([[{ role: "user", content: "Say hello." }]]));
const text = v.pipe(v.union([v.string(), v.array(v.string())]), v.examples(["A rope ties a boat."]));

const ROUTES = {
  "/chat/completions": { summary: "Chat", body: v.looseObject({ model, messages, stream }) },
  "/completions": { summary: "Complete a text", body: v.looseObject({ model, prompt: text, stream }) },
  "/responses": {
    summary: "Respond (OpenAI's Responses API)",
    body: v.looseObject({ model, input: v.union([v.string(), v.array(v.looseObject({}))]), stream }),
  },
  "/messages": {
    summary: "Message (Anthropic's Messages API)",
    body: v.looseObject({ model, max_tokens: v.optional(v.number()), messages, stream }),
  },
  "/embeddings": {
    summary: "Embed texts",
    body: v.looseObject({
      model,
      input: v.pipe(
        v.union([v.string(), v.array(v.string()), v.array(v.number()), v.array(v.array(v.number()))]),
        v.description(
          "One text, texts, one token array, or token arrays. Many inputs are split among the workers that serve the model.",
        ),
        v.examples([["A rope ties a boat.", "A line holds a ship."]]),
      ),
      encoding_format: v.optional(v.picklist(["float", "base64"])),
      dimensions: v.optional(v.number()),
    }),
  },
  "/rerank": {
    summary: "Rank documents",
    body: v.looseObject({ model, query: v.string(), documents: v.array(v.union([v.string(), v.looseObject({})])) }),
  },
} as const;

export type DocumentedPath = keyof typeof ROUTES;

/** The paths that are documented one by one. All other paths are routed in the same way. */
export const DOCUMENTED_PATHS = Object.keys(ROUTES) as DocumentedPath[]; // the keys of a literal, which Object.keys types as strings

const POST_ERRORS = errorResponses(
  "invalid_json",
  "invalid_request",
  "invalid_api_key",
  "model_not_found",
  "worker_not_found",
  "request_timeout",
  "request_too_large",
  "unsupported_media_type",
  "too_many_auth_failures",
  "too_many_requests",
  "worker_lost",
  "upstream_unreachable",
  "upstream_error",
  "no_worker_available",
  "queue_timeout",
  "queue_full",
  "draining",
  "upstream_timeout",
);

const ANSWER: AnswerDoc = {
  description: "What the worker's model server answers, as it is: status, headers and body.",
  content: {
    "application/json": { schema: { type: "object" } },
    "text/event-stream": {
      schema: { type: "string", description: "With `stream: true`. Comment lines keep it alive while it waits." },
    },
  },
};

/** The documentation of one route under one base URL. */
export function postDocs(base: string, path: DocumentedPath) {
  const route = ROUTES[path];
  const isOneWorkers = base.includes(":worker_id");
  return {
    body: doc(route.body),
    detail: {
      tags: [INFERENCE.name],
      operationId: `${isOneWorkers ? "worker" : base === "/v1" ? "alias" : "llm"}${path.replaceAll(/\/(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
      summary: isOneWorkers
        ? `${route.summary}, on one worker`
        : base === "/v1"
          ? `${route.summary} (alias)`
          : route.summary,
      security: API_KEY_SECURITY,
      responses: { 200: ANSWER, ...POST_ERRORS },
    },
  };
}
