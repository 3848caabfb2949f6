/**
 * The yardstick for transfers: it counts a request body and hands it to the response of the waiting reader. It has no ids,
 * keys, expiry, headers, metrics or log, refuses no second reader, and a premature end looks like any other. It does one
 * transfer at a time, with either side first.
 */
let reader = Promise.withResolvers<(answer: Response) => void>();

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  async fetch(request) {
    if (request.method === "GET") return new Promise<Response>((resolve) => reader.resolve(resolve));
    const answerReader = await reader.promise;
    reader = Promise.withResolvers();
    if (!request.body) return new Response(null, { status: 400 });
    let bytes = 0;
    const { promise, resolve } = Promise.withResolvers<Response>();
    const counting = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length;
        controller.enqueue(chunk);
      },
      flush: () => resolve(Response.json({ bytes })),
    });
    answerReader(new Response(request.body.pipeThrough(counting)));
    return promise;
  },
});

process.send?.({ url: `http://127.0.0.1:${server.port}` });
process.on("disconnect", () => process.exit(0));
