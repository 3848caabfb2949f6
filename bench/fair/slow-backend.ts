/** A model server that takes the time that its name says for every request: `job-500ms`. It computes nothing. */

interface ChatRequest {
  readonly model: string;
}

const MODELS = ["job-100ms", "job-500ms", "job-1000ms"];

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  routes: {
    "/v1/models": () => Response.json({ object: "list", data: MODELS.map((id) => ({ id, object: "model" })) }),
    "/v1/chat/completions": {
      POST: async (request) => {
        const { model } = (await request.json()) as ChatRequest; // Sent by our own load.
        await Bun.sleep(Number(/\d+/.exec(model)?.[0]));
        return Response.json({
          id: "chatcmpl-bench",
          object: "chat.completion",
          model,
          choices: [{ index: 0, message: { role: "assistant", content: "done" }, finish_reason: "stop" }],
          usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
        });
      },
    },
  },
});

process.send?.({ url: `http://127.0.0.1:${server.port}` });
process.on("disconnect", () => process.exit(0));
