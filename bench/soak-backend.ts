/**
 * The backend of the soak's workers: chats, streamed or not, embeddings, transcriptions, and MCP calls as a stateless server
 * handles them. Responses state their length, so that a cut one can be recognised.
 */
const MODELS = ["soak-chat", "soak-embed", "soak-speech"];

interface Asked {
  readonly stream?: boolean;
  readonly chunks?: number;
  readonly input?: readonly string[];
  readonly id?: number;
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  routes: {
    "/v1/models": () => Response.json({ object: "list", data: MODELS.map((id) => ({ id, object: "model" })) }),
    "/v1/chat/completions": {
      POST: async (request) => {
        const { stream, chunks = 5 } = (await request.json()) as Asked; // Sent by our own load generator.
        if (stream) return eventStream(chunks);
        return Response.json({ choices: [{ message: { content: "ahoy" } }], usage: { completion_tokens: 1 } });
      },
    },
    "/v1/embeddings": {
      POST: async (request) => {
        const { input = [] } = (await request.json()) as Asked; // Sent by our own load generator, or a part of such a request.
        return Response.json({ data: input.map((_, index) => ({ index, embedding: [index, 0.5] })), usage: {} });
      },
    },
    "/v1/audio/transcriptions": {
      POST: async (request) => {
        const form = await request.formData();
        const file = form.get("file");
        return Response.json({ text: `${file instanceof File ? file.size : 0} bytes` });
      },
    },
    "/mcp": {
      POST: async (request) => {
        const { id = 0 } = (await request.json()) as Asked; // Sent by our own load generator.
        return Response.json({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text: `call ${id}` }] } });
      },
    },
  },
});

function eventStream(chunks: number): Response {
  let timer: Timer | undefined;
  let sent = 0;
  const stream = new ReadableStream<string>({
    start(controller) {
      timer = setInterval(() => {
        sent += 1;
        controller.enqueue(`data: {"choices":[{"delta":{"content":"${sent}"}}]}\n\n`);
        if (sent < chunks) return;
        clearInterval(timer);
        controller.enqueue("data: [DONE]\n\n");
        controller.close();
      }, 2);
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(stream, { headers: { "content-type": "text/event-stream" } });
}

process.send?.({ url: `http://127.0.0.1:${server.port}` });
process.on("disconnect", () => process.exit(0));
