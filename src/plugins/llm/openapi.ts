import * as v from "valibot";
import type { ErrorCode } from "../../errors.ts";
import { shownAs } from "../../openapi/document.ts";
import { EXAMPLE_MODELS } from "../../openapi/example-models.ts";
import {
  type AnswerDoc,
  API_KEY_SECURITY,
  doc,
  errorResponses,
  errorResponsesIn,
  schemaOf,
} from "../../openapi/schema.ts";
import { anthropicError } from "./anthropic-error.ts";
import { type DocumentedPath, model, open, ROUTES } from "./documented-routes.ts";

// How the API's description shows the plugin's routes. None of it runs for a request.

export const INFERENCE = {
  name: "Inference",
  description: "Chat, completions, responses, messages, embeddings: OpenAI's API, served by workers.",
};

const POST_CODES: readonly ErrorCode[] = [
  "invalid_json",
  "invalid_request",
  "invalid_api_key",
  "model_not_found",
  "previous_response_not_found",
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
];

const POST_ERRORS = errorResponses(...POST_CODES);

/** Errors of the Messages API, which have Anthropic's form. */
const MESSAGES_ERRORS = errorResponsesIn(
  {
    schema: schemaOf(
      v.object({
        type: v.literal("error"),
        error: open({ type: v.string(), message: v.string(), code: v.string() }),
        request_id: v.string(),
      }),
    ),
    example: (fault) => anthropicError(fault, "req_1"),
  },
  POST_CODES,
);

const DESCRIPTION = "What the worker's model server answers, as it is: status, headers and body.";

/** Documents the answer of a route, whole and, where it can stream, as events. */
function answerOf(path: DocumentedPath): AnswerDoc {
  const route = ROUTES[path];
  const whole = { schema: schemaOf(route.answer), example: route.example };
  if (!("events" in route)) return { description: DESCRIPTION, content: { "application/json": whole } };
  const schema = { type: "string", description: "With `stream: true`. Comment lines keep it alive while it waits." };
  return {
    description: DESCRIPTION,
    content: { "application/json": whole, "text/event-stream": { schema, example: route.events } },
  };
}

/** The documentation of the route that takes all other paths under one base URL. */
export function anyPathDetail(base: string) {
  const isOneWorkers = base.includes(":worker_id");
  const shown = base.replace(":worker_id", "{worker_id}");
  const parameter = (name: string, description: string) =>
    ({ name, in: "path", required: true, description, schema: { type: "string" } }) as const;
  return shownAs(`${shown}/{path}`, {
    tags: [INFERENCE.name],
    operationId: `${isOneWorkers ? "worker" : base === "/v1" ? "alias" : "llm"}AnyPath`,
    summary: `Any other path of the model server${isOneWorkers ? ", on one worker" : base === "/v1" ? " (alias)" : ""}`,
    description:
      "Any path that the worker's model server has, such as `audio/speech` or `images/generations`, if its body is JSON with a `model`. Its status, headers and body pass on unchanged.",
    security: API_KEY_SECURITY,
    parameters: [
      ...(isOneWorkers ? [parameter("worker_id", "The id of a worker in the state.")] : []),
      parameter("path", "A path of the model server, below its base URL. It may contain slashes."),
    ],
    requestBody: {
      required: true,
      content: {
        "application/json": {
          schema: schemaOf(v.looseObject({ model }), "input"),
          example: { model: EXAMPLE_MODELS.chat },
        },
      },
    },
    responses: { 200: { description: DESCRIPTION }, ...POST_ERRORS },
  });
}

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
      responses: { 200: answerOf(path), ...(path === "/messages" ? MESSAGES_ERRORS : POST_ERRORS) },
    },
  };
}
