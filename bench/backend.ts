/**
 * A model server for benchmarks: small chat responses, event streams of `chunks` events every `gap_ms`, embeddings of
 * `dimensions` floats. It does as little as possible per request, so that the path to it is measured.
 */
const MODELS = ["bench-chat", "bench-embed"];
const JSON_HEADERS = { "content-type": "application/json" };
const encoder = new TextEncoder();

interface ChatRequest {
  readonly stream?: boolean;
  readonly chunks?: number;
  readonly gap_ms?: number;
}

interface EmbeddingRequest {
  readonly input: readonly string[];
  readonly dimensions: number;
}

const usage = { prompt_tokens: 12, completion_tokens: 9, total_tokens: 21 };
const chatAnswer = encoder.encode(
  JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion",
    created: 1_767_225_600,
    model: "bench-chat",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "A rope, a ring and a little patience." },
        finish_reason: "stop",
      },
    ],
    usage,
  }),
);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  maxRequestBodySize: 64 * 1024 * 1024,
  routes: {
    "/v1/models": () => Response.json({ object: "list", data: MODELS.map((id) => ({ id, object: "model" })) }),
    "/v1/chat/completions": {
      POST: async (request) => {
        const asked = (await request.json()) as ChatRequest; // Sent by our own load generator.
        return asked.stream ? eventStream(asked) : new Response(chatAnswer, { headers: JSON_HEADERS });
      },
    },
    "/v1/embeddings": { POST: embeddings },
    // The same bytes on a path that the server does not know, and therefore passes on unchanged.
    "/v1/plain": { POST: embeddings },
  },
});

async function embeddings(request: Request): Promise<Response> {
  const { input, dimensions } = (await request.json()) as EmbeddingRequest; // Sent by our own load generator, or a part of such a request.
  return new Response(embeddingAnswer(input.length, dimensions), { headers: JSON_HEADERS });
}

function eventStream({ chunks = 10, gap_ms = 10 }: ChatRequest): Response {
  let sent = 0;
  let timer: Timer | undefined;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const next = (): void => {
        sent += 1;
        controller.enqueue(chunkEvent(sent));
        if (sent < chunks) return;
        controller.enqueue(encoder.encode(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`));
        clearInterval(timer);
        controller.close();
      };
      timer = setInterval(next, gap_ms);
      next();
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(stream, { headers: { "content-type": "text/event-stream" } });
}

function chunkEvent(at: number): Uint8Array {
  const delta = { content: ` word${at}` };
  const choices = [{ index: 0, delta, finish_reason: null }];
  const chunk = { id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1_767_225_600, model: "bench-chat" };
  return encoder.encode(`data: ${JSON.stringify({ ...chunk, choices })}\n\n`);
}

const answers = new Map<string, Uint8Array<ArrayBuffer>>();

/** Built once per shape, because a backend that is busy writing numbers would hide the cost of the server. */
function embeddingAnswer(count: number, dimensions: number): Uint8Array<ArrayBuffer> {
  const key = `${count} ${dimensions}`;
  const known = answers.get(key);
  if (known) return known;
  const data = Array.from({ length: count }, (_, index) => ({
    object: "embedding",
    index,
    // Single precision written in full, as model servers do: about 20 characters per number.
    embedding: Array.from({ length: dimensions }, (_, at) => Math.fround(Math.sin(index * 31 + at) / 37)),
  }));
  const body = encoder.encode(
    JSON.stringify({
      object: "list",
      data,
      model: "bench-embed",
      usage: { prompt_tokens: count, total_tokens: count },
    }),
  );
  answers.set(key, body);
  return body;
}

process.send?.({ url: `http://127.0.0.1:${server.port}` });
process.on("disconnect", () => process.exit(0));
