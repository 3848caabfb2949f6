/**
 * The yardstick: the simplest program that does the job. HTTP in, one binary WebSocket frame to the worker, chunks back
 * as binary frames, a streamed response out. It has no keys, queue, choice of workers, metrics, logs, errors, cancelling,
 * backpressure or limits. Its counterpart is bare-worker.ts.
 *
 * Frames: u32 id, u8 flags (1: starts with a head, 2: the last one), then the head (u16 length, JSON), then bytes.
 *
 * A form may be larger than memory, so it is passed on as it arrives, one frame per chunk, neither read nor kept. Only forms
 * have flow control: a frame from the worker with flag 4 and a u32 says how many more bytes its backend has taken.
 */
type Take = (frame: Buffer) => void;

/** The most bytes of one form that the worker's backend may not have taken yet. */
const AHEAD_BYTES = 1024 * 1024;

const exchanges = new Map<number, Take>();
const uploads = new Map<number, (taken: number) => void>();
let worker: Bun.ServerWebSocket<undefined> | undefined;
let lastId = 0;

const server = Bun.serve<undefined>({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  async fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === "/connect") return server.upgrade(request) ? undefined : new Response(null, { status: 426 });
    const type = request.headers.get("content-type") ?? "";
    const form = type.startsWith("multipart/") ? request.body : null;
    const body = form ? new Uint8Array(0) : await request.bytes();
    if (!worker) return new Response(null, { status: 503 });
    lastId += 1;
    const id = lastId;
    const head = Buffer.from(JSON.stringify({ method: request.method, path: pathname, type }));
    const frame = Buffer.allocUnsafe(7 + head.length + body.length);
    frame.writeUInt32BE(id, 0);
    frame.writeUInt8(form ? 1 : 3, 4);
    frame.writeUInt16BE(head.length, 5);
    frame.set(head, 7);
    frame.set(body, 7 + head.length);
    worker.send(frame);
    if (form) upload(id, form, worker).catch((error: unknown) => console.error("bare-relay", error));
    return new Promise<Response>((resolve) => exchanges.set(id, answer(id, resolve)));
  },
  websocket: {
    open(socket) {
      worker = socket;
    },
    message(_socket, message) {
      if (typeof message === "string") return;
      const id = message.readUInt32BE(0);
      if (message.readUInt8(4) & 4) uploads.get(id)?.(message.readUInt32BE(5));
      else exchanges.get(id)?.(message);
    },
  },
});

async function upload(id: number, form: ReadableStream<Uint8Array>, to: Bun.ServerWebSocket<undefined>): Promise<void> {
  let ahead = 0;
  let wake = (): void => {};
  uploads.set(id, (taken) => {
    ahead -= taken;
    wake();
  });
  for await (const chunk of form) {
    while (ahead >= AHEAD_BYTES) await new Promise<void>((resolve) => (wake = resolve));
    ahead += chunk.length;
    to.send(dataFrame(id, 0, chunk));
  }
  to.send(dataFrame(id, 2, new Uint8Array(0)));
  uploads.delete(id);
}

function dataFrame(id: number, flags: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + bytes.length);
  frame.writeUInt32BE(id, 0);
  frame.writeUInt8(flags, 4);
  frame.set(bytes, 5);
  return frame;
}

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
