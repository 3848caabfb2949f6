import { EVENTS } from "./worker-rig.ts";

/** The words of every answer, a token each. */
const WORDS = ["The", " harbour", " light", " burns", " all", " night", "."];

/** The request of a chat, as far as the script reads it. */
interface ChatRequest {
  readonly model: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
}

/**
 * A model server that answers as Ollama 0.33 does, by its source (`middleware/openai.go`, `openai/openai.go`): the fields of
 * each event, their order, and the usage in one more event before the end if it is asked for. Ids and times are fixed.
 */
export class ScriptedOllama {
  readonly #server: ReturnType<typeof Bun.serve>;
  /** The bodies of all chats. */
  readonly bodies: string[] = [];

  constructor() {
    this.#server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#answer(request) });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  static readonly usage = { prompt_tokens: 23, completion_tokens: WORDS.length, total_tokens: 23 + WORDS.length };

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/version") return Response.json({ version: "0.33.0" });
    if (pathname === "/api/tags" || pathname === "/api/ps")
      return Response.json({ models: [{ name: "llama3.2:latest", model: "llama3.2:latest" }] });
    if (pathname === "/v1/models")
      return Response.json({
        object: "list",
        data: [{ id: "llama3.2:latest", object: "model", created: 1_764_000_000, owned_by: "library" }],
      });
    if (pathname !== "/v1/chat/completions") return new Response("404 page not found", { status: 404 });
    const body = await request.text();
    this.bodies.push(body);
    const asked: ChatRequest = JSON.parse(body);
    return new Response(inPieces(chatEvents(asked)), EVENTS);
  }
}

function* chatEvents({ model, stream_options }: ChatRequest): Generator<string> {
  const head = { id: "chatcmpl-7", object: "chat.completion.chunk", created: 1_764_000_000, model };
  const chunk = (choices: readonly object[], more: object = {}): string =>
    `data: ${JSON.stringify({ ...head, system_fingerprint: "fp_ollama", choices, ...more })}\n\n`;
  for (const [at, content] of WORDS.entries()) {
    const delta = at === 0 ? { role: "assistant", content } : { content };
    yield chunk([{ index: 0, delta, finish_reason: null }]);
  }
  yield chunk([{ index: 0, delta: {}, finish_reason: "stop" }]);
  if (stream_options?.include_usage) yield chunk([], { usage: ScriptedOllama.usage });
  yield "data: [DONE]\n\n";
}

function inPieces(events: Iterable<string>): ReadableStream<Uint8Array> {
  const all = [...events];
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const event = all.shift();
      await new Promise((resolve) => setImmediate(resolve));
      if (event === undefined) controller.close();
      else controller.enqueue(Buffer.from(event));
    },
  });
}
