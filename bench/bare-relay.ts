/**
 * The yardstick: the simplest program that does the job. HTTP in, one binary WebSocket frame to the worker, chunks back
 * as binary frames, a streamed response out. It leaves out all that makes a server: no keys, queue, choice of workers,
 * metrics, logs, errors, cancel, backpressure, limits. Its counterpart is bare-worker.ts.
 *
 * Frames: u32 id, u8 flags (1: starts with a head, 2: the last one), then the head (u16 length, JSON), then bytes.
 */
type Take = (frame: Buffer) => void;

const exchanges = new Map<number, Take>();
let worker: Bun.ServerWebSocket<undefined> | undefined;
let lastId = 0;

const server = Bun.serve<undefined>({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === "/connect") return server.upgrade(request) ? undefined : new Response(null, { status: 426 });
    const body = await request.bytes();
    if (!worker) return new Response(null, { status: 503 });
    lastId += 1;
    const id = lastId;
    const head = Buffer.from(JSON.stringify({ method: request.method, path: pathname }));
    const frame = Buffer.allocUnsafe(7 + head.length + body.length);
    frame.writeUInt32BE(id, 0);
    frame.writeUInt8(3, 4);
    frame.writeUInt16BE(head.length, 5);
    frame.set(head, 7);
    frame.set(body, 7 + head.length);
    worker.send(frame);
    return new Promise<Response>((resolve) => exchanges.set(id, answer(id, resolve)));
  },
  websocket: {
    open(socket) {
      worker = socket;
    },
    message(_socket, message) {
      if (typeof message !== "string") exchanges.get(message.readUInt32BE(0))?.(message);
    },
  },
});

function answer(id: number, resolve: (response: Response) => void): Take {
  let controller: ReadableStreamDefaultController<Uint8Array>;
  return (frame) => {
    const flags = frame.readUInt8(4);
    let bytes = frame.subarray(5);
    if (flags & 1) {
      const end = 2 + bytes.readUInt16BE(0);
      const { status, type } = JSON.parse(bytes.toString("utf8", 2, end));
      bytes = bytes.subarray(end);
      const start = (opened: typeof controller): void => {
        controller = opened;
      };
      resolve(new Response(new ReadableStream({ start }), { status, headers: { "content-type": type } }));
    }
    if (bytes.length > 0) controller.enqueue(bytes);
    if (flags & 2) {
      exchanges.delete(id);
      controller.close();
    }
  };
}

process.send?.({ url: `http://127.0.0.1:${server.port}` });
process.on("disconnect", () => process.exit(0));
