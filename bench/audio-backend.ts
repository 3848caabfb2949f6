/** A transcriber for benchmarks: it reads an upload, discards it, and returns the number of bytes. */
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  routes: {
    "/v1/models": () => Response.json({ object: "list", data: [{ id: "bench-asr", object: "model" }] }),
    "/v1/audio/transcriptions": {
      POST: async (request) => {
        let bytes = 0;
        for await (const chunk of request.body ?? []) bytes += chunk.length;
        return Response.json({ text: `${bytes}`, usage: { type: "duration", seconds: 1 } });
      },
    },
  },
});

process.send?.({ url: `http://127.0.0.1:${server.port}` });
process.on("disconnect", () => process.exit(0));
