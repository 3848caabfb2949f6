/**
 * The worker of bare-relay.ts, equally simple: one fetch to the backend per request, and one frame per chunk of the response.
 * It has no backpressure except for forms, no cancelling, no reconnecting and no errors. Arguments: the relay's URL, the
 * backend's URL.
 */
const [relay = "", backend = ""] = process.argv.slice(2);
const socket = new WebSocket(`${relay.replace(/^http/, "ws")}/connect`);
socket.binaryType = "nodebuffer";

/** The relay is told after every so many bytes that the backend takes, often enough for its window. */
const TELL_EVERY_BYTES = 256 * 1024;
const uploads = new Map<number, (frame: Buffer) => void>();

socket.onopen = () => process.send?.({});
socket.onmessage = ({ data }: MessageEvent<Buffer>) => {
  const takeMore = uploads.get(data.readUInt32BE(0));
  if (takeMore) return takeMore(data);
  serve(data).catch((error: unknown) => console.error("bare-worker", error));
};

async function serve(frame: Buffer): Promise<void> {
  const id = frame.readUInt32BE(0);
  const end = 7 + frame.readUInt16BE(5);
  const { method, path, type } = JSON.parse(frame.toString("utf8", 7, end));
  const isWhole = (frame.readUInt8(4) & 2) !== 0;
  const headers = { "content-type": type };
  const body = isWhole ? new Uint8Array(frame.subarray(end)) : upload(id);
  const response = await fetch(`${backend}${path}`, { method, headers, body });
  const head = Buffer.from(JSON.stringify({ status: response.status, type: response.headers.get("content-type") }));
  if (!response.body) throw new Error("a response without a body");
  const reader = response.body.getReader();
  for (let isFirst = true; ; isFirst = false) {
    const { done, value } = await reader.read();
    const start = isFirst ? 7 + head.length : 5;
    const out = Buffer.allocUnsafe(start + (value?.length ?? 0));
    out.writeUInt32BE(id, 0);
    out.writeUInt8((isFirst ? 1 : 0) | (done ? 2 : 0), 4);
    if (isFirst) {
      out.writeUInt16BE(head.length, 5);
      out.set(head, 7);
    }
    if (value) out.set(value, start);
    socket.send(out);
    if (done) return;
  }
}

/** The following frames as a stream. The relay is told how much was taken, so it never holds much. */
function upload(id: number): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  let untold = 0;
  const take = async (frame: Buffer): Promise<void> => {
    if (frame.readUInt8(4) & 2) {
      uploads.delete(id);
      return writer.close();
    }
    const bytes = frame.subarray(5);
    await writer.write(bytes);
    untold += bytes.length;
    if (untold < TELL_EVERY_BYTES) return;
    const out = Buffer.allocUnsafe(9);
    out.writeUInt32BE(id, 0);
    out.writeUInt8(4, 4);
    out.writeUInt32BE(untold, 5);
    untold = 0;
    socket.send(out);
  };
  uploads.set(id, (frame) => {
    take(frame).catch((error: unknown) => console.error("bare-worker", error));
  });
  return readable;
}
process.on("disconnect", () => process.exit(0));
