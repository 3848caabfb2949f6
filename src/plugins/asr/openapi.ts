import * as v from "valibot";
import { EXAMPLE_MODELS } from "../../openapi/example-models.ts";
import { type AnswerDoc, API_KEY_SECURITY, errorResponses, type SchemaObject, schemaOf } from "../../openapi/schema.ts";

// How the API's description shows the plugin's routes. None of it runs for a request.

export const AUDIO = {
  name: "Audio",
  description: "Transcription and translation of audio: OpenAI's API, served by workers.",
};

const text = (description: string) => v.optional(v.pipe(v.string(), v.description(description)));

/** The fields of OpenAI's form. The server reads only `model` and `stream`, and passes on any other field as well. */
const fields = v.object({
  model: v.pipe(
    v.string(),
    v.description(
      "A model that some worker serves. `whisper` also finds `whisper:latest`, and `whisper:large` finds `whisper:large-q5`.",
    ),
    v.examples([EXAMPLE_MODELS.transcription]),
  ),
  language: text("ISO 639-1 code of the language spoken."),
  prompt: text("Text that steers the style, or goes on from an earlier part."),
  response_format: v.optional(v.picklist(["json", "text", "srt", "verbose_json", "vtt", "diarized_json"])),
  temperature: v.optional(v.number()),
  "timestamp_granularities[]": v.optional(v.array(v.picklist(["word", "segment"]))),
  "include[]": v.optional(v.array(v.string())),
  chunking_strategy: text("`auto`, or JSON."),
  stream: v.optional(v.pipe(v.boolean(), v.description("Answer as server-sent events."))),
});

function formSchema(): SchemaObject {
  const { properties, required, ...rest } = schemaOf(fields, "input");
  const file = { type: "string", format: "binary", description: "The audio, in a format that the model server reads." };
  return {
    ...rest,
    properties: { file, ...(properties as object) },
    required: ["file", ...(required as string[])],
  };
}

const ROUTES = {
  "/audio/transcriptions": { name: "Transcription", summary: "Transcribe audio" },
  "/audio/translations": { name: "Translation", summary: "Translate audio into English text" },
} as const;

export type AudioPath = keyof typeof ROUTES;

export const AUDIO_PATHS = Object.keys(ROUTES) as AudioPath[]; // the keys of a literal, which Object.keys types as strings

const ERRORS = errorResponses(
  "invalid_request",
  "invalid_api_key",
  "model_not_found",
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
  "spool_unavailable",
  "draining",
  "upstream_timeout",
);

const ANSWER: AnswerDoc = {
  description: "What the worker's model server answers, as it is: status, headers and body.",
  content: {
    "application/json": {
      schema: { type: "object" },
      example: { text: "The ships are in the harbour.", usage: { type: "duration", seconds: 2 } },
    },
    "text/plain": { schema: { type: "string", description: "`text` and `srt`." } },
    "text/vtt": { schema: { type: "string" } },
    "text/event-stream": {
      schema: { type: "string", description: "With `stream=true`. Comment lines keep it alive while it waits." },
    },
  },
};

/** The documentation of one route under one base. */
export function audioDetail(base: string, path: AudioPath) {
  const { name, summary } = ROUTES[path];
  const isAlias = base === "/v1";
  return {
    tags: [AUDIO.name],
    operationId: `${isAlias ? "alias" : "asr"}${name}`,
    summary: isAlias ? `${summary} (alias)` : summary,
    description:
      "The form's bytes reach the model server unchanged, as they arrive, except for a model's name that the server lists otherwise. `model` may stand before or after `file`; before it, nothing has to wait.",
    security: API_KEY_SECURITY,
    requestBody: { required: true, content: { "multipart/form-data": { schema: formSchema() } } },
    responses: { 200: ANSWER, ...ERRORS },
  };
}
