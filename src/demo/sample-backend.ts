import * as v from "valibot";
import { PromptCache } from "./prompt-cache.ts";
import { Refusal, unknownModel } from "./refusal.ts";
import { conversation, onlyQuestion, toAnswer } from "./sample-answer.ts";
import { readAudioRequest, toTranscript } from "./sample-audio.ts";
import { type AnswerHead, chatCompletion, chatEvents, textCompletion, textEvents } from "./sample-chat.ts";
import { countTokens, encodeVector, MAX_DIMENSIONS, toVector } from "./sample-embedding.ts";
import { responseEvents, responseObject } from "./sample-responses.ts";
import { type AudioTask, renderTranscript, transcriptEvents } from "./sample-transcript.ts";

export interface SampleBackendOptions {
  /** The default, 0, takes any free port. */
  readonly port?: number;
  /** Milliseconds before each event of a stream except the first; 40 looks like typing. */
  readonly delayMs?: number;
}

export interface SampleBackend {
  /** Base URL for a worker's `--backend`, such as `http://127.0.0.1:49152/v1`. */
  readonly url: string;
  /** Number of streams whose client still reads. */
  readonly openStreams: number;
  stop(): Promise<void>;
}

export const SAMPLE_CHAT_MODEL = "moorage-sample-chat";
export const SAMPLE_EMBED_MODEL = "moorage-sample-embed";
export const SAMPLE_TRANSCRIBE_MODEL = "moorage-sample-transcriber";

const CREATED = 1_767_225_600; // 2026-01-01, so that lists compare equal from run to run.
const HEADERS = { "x-moorage-sample": "true" } as const;

const count = v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1)));
const generation = {
  model: v.string(),
  stream: v.nullish(v.boolean()),
  stream_options: v.nullish(v.object({ include_usage: v.nullish(v.boolean()) })),
};
const chatSchema = v.object({
  ...generation,
  messages: v.pipe(v.array(v.object({ role: v.string(), content: v.unknown() })), v.minLength(1)),
  max_tokens: count,
  max_completion_tokens: count,
});
const completionSchema = v.object({ ...generation, prompt: v.unknown(), max_tokens: count });
const responseSchema = v.object({ ...generation, input: v.unknown(), max_output_tokens: count });
const tokens = v.pipe(v.array(v.pipe(v.number(), v.integer())), v.minLength(1));
const text = v.pipe(v.string(), v.minLength(1));
const embeddingSchema = v.object({
  model: v.string(),
  input: v.union([text, tokens, v.pipe(v.array(v.union([text, tokens])), v.minLength(1), v.maxLength(2048))]),
  encoding_format: v.optional(v.picklist(["float", "base64"]), "float"),
  dimensions: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_DIMENSIONS))),
});

/** Starts an OpenAI-style model server on 127.0.0.1 without a model, for the demo and for tests. */
export function startSampleBackend(options: SampleBackendOptions = {}): SampleBackend {
  const streams = new Streams(options.delayMs ?? 40);
  const memory: Memory = { prompts: new PromptCache(), loaded: new Set() };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    reusePort: false,
    // A stream may be slower than any idle timeout.
    idleTimeout: 0,
    // The server in front has its own limits, and audio is skipped without being kept.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    development: false,
    fetch: (request) => answer(request, streams, memory),
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    get openStreams() {
      return streams.open;
    },
    stop: () => server.stop(true),
  };
}

/** What a real model server would have in memory. */
interface Memory {
  readonly prompts: PromptCache;
  /** Models that have been used: the sample says that it loads a model with its first request, and never unloads it. */
  readonly loaded: Set<string>;
}

async function answer(request: Request, streams: Streams, memory: Memory): Promise<Response> {
  try {
    return await route(request, streams, memory);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return json(error.body(), error.status);
  }
}

async function route(request: Request, streams: Streams, memory: Memory): Promise<Response> {
  const path = new URL(request.url).pathname;
  if (request.method === "GET" && path === "/v1/models")
    return json({ object: "list", data: modelCards(memory.loaded) });
  if (request.method !== "POST") throw new Refusal(404, "unknown_url", `There is no ${request.method} ${path}.`);
  switch (path) {
    case "/v1/chat/completions": {
      const body = await read(chatSchema, request, SAMPLE_CHAT_MODEL, memory);
      const limit = body.max_completion_tokens ?? body.max_tokens ?? undefined;
      const reply = toAnswer(conversation(body.messages), memory.prompts, limit);
      const head = answerHead("chatcmpl-", body.model);
      if (!body.stream) return json(chatCompletion(head, reply));
      return streams.respond(chatEvents(head, reply, body.stream_options?.include_usage === true));
    }
    case "/v1/completions": {
      const body = await read(completionSchema, request, SAMPLE_CHAT_MODEL, memory);
      const reply = toAnswer(onlyQuestion(body.prompt), memory.prompts, body.max_tokens ?? undefined);
      const head = answerHead("cmpl-", body.model);
      if (!body.stream) return json(textCompletion(head, reply));
      return streams.respond(textEvents(head, reply, body.stream_options?.include_usage === true));
    }
    case "/v1/responses": {
      const body = await read(responseSchema, request, SAMPLE_CHAT_MODEL, memory);
      const asked = Array.isArray(body.input) ? conversation(body.input) : onlyQuestion(body.input);
      const reply = toAnswer(asked, memory.prompts, body.max_output_tokens ?? undefined);
      const head = answerHead("resp_", body.model);
      return body.stream ? streams.respond(responseEvents(head, reply)) : json(responseObject(head, reply));
    }
    case "/v1/embeddings":
      return json(embed(await read(embeddingSchema, request, SAMPLE_EMBED_MODEL, memory)));
    case "/v1/audio/transcriptions":
      return hear(request, "transcribe", streams, memory);
    case "/v1/audio/translations":
      return hear(request, "translate", streams, memory);
    default:
      throw new Refusal(404, "unknown_url", `There is no POST ${path}.`);
  }
}

async function hear(request: Request, task: AudioTask, streams: Streams, memory: Memory): Promise<Response> {
  const { file, format, isStream } = await readAudioRequest(request, SAMPLE_TRANSCRIBE_MODEL);
  memory.loaded.add(SAMPLE_TRANSCRIBE_MODEL);
  const transcript = toTranscript(file);
  if (isStream) return streams.respond(transcriptEvents(transcript));
  const { type, body } = renderTranscript(transcript, format, task);
  return new Response(body, { headers: { ...HEADERS, "content-type": type } });
}

function embed({ model, input, encoding_format, dimensions }: v.InferOutput<typeof embeddingSchema>): object {
  const isOne = typeof input === "string" || typeof input[0] === "number";
  // The schema lets through one of the two plural forms, or a single input.
  const inputs = (isOne ? [input] : input) as readonly (string | number[])[];
  const data = inputs.map((each, index) => ({
    object: "embedding",
    index,
    embedding: encodeVector(toVector(each, dimensions ?? undefined), encoding_format),
  }));
  const used = inputs.reduce((sum, each) => sum + countTokens(each), 0);
  return { object: "list", data, model, usage: { prompt_tokens: used, total_tokens: used } };
}

async function read<S extends v.BaseSchema<unknown, { model: string }, v.BaseIssue<unknown>>>(
  schema: S,
  request: Request,
  model: string,
  memory: Memory,
): Promise<v.InferOutput<S>> {
  const body: unknown = await request.json().catch(() => {
    throw new Refusal(400, "invalid_json", "The request body is not valid JSON.");
  });
  const parsed = v.safeParse(schema, body);
  if (!parsed.success) {
    const param = parsed.issues[0]?.path?.map((item) => String(item.key)).join(".") ?? null;
    throw new Refusal(400, "invalid_request", `The request is not valid${param ? `: look at '${param}'` : ""}.`, param);
  }
  const asked = parsed.output.model;
  if (asked !== model) throw unknownModel(asked, model);
  memory.loaded.add(model);
  return parsed.output;
}

/** Sends event streams at a fixed pace, and stops each as soon as its reader has gone. */
class Streams {
  readonly #delayMs: number;
  #open = 0;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  get open(): number {
    return this.#open;
  }

  respond(events: Iterator<string>): Response {
    const encoder = new TextEncoder();
    let isFirst = true;
    let isOpen = true;
    const close = (): void => {
      if (isOpen) this.#open -= 1;
      isOpen = false;
    };
    this.#open += 1;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (!isFirst && this.#delayMs > 0) await Bun.sleep(this.#delayMs);
          isFirst = false;
          // The reader may have gone during the pause.
          if (!isOpen) return;
          const next = events.next();
          if (!next.done) return controller.enqueue(encoder.encode(next.value));
          close();
          controller.close();
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    );
    return new Response(body, {
      headers: { ...HEADERS, "content-type": "text/event-stream", "cache-control": "no-cache" },
    });
  }
}

function answerHead(prefix: string, model: string): AnswerHead {
  const id = prefix + Bun.randomUUIDv7("hex").replaceAll("-", "");
  return { id, created: Math.floor(Date.now() / 1000), model };
}

function modelCards(loaded: ReadonlySet<string>): readonly object[] {
  return [SAMPLE_CHAT_MODEL, SAMPLE_EMBED_MODEL, SAMPLE_TRANSCRIBE_MODEL].map((id) => ({
    id,
    object: "model",
    created: CREATED,
    owned_by: "moorage-sample",
    // In the form of llama.cpp's router.
    status: { value: loaded.has(id) ? "loaded" : "unloaded" },
  }));
}

function json(value: object, status = 200): Response {
  return Response.json(value, { status, headers: HEADERS });
}
