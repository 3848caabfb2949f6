/**
 * The worker of bare-relay.ts, as plain: per frame one fetch to the backend, each chunk of the answer back as one frame.
 * No backpressure, no cancel, no reconnecting, no errors. Arguments: the relay's URL, the backend's.
 */
const [relay = "", backend = ""] = process.argv.slice(2);
const socket = new WebSocket(`${relay.replace(/^http/, "ws")}/connect`);
socket.binaryType = "nodebuffer";

socket.onopen = () => process.send?.({});
socket.onmessage = ({ data }: MessageEvent<Buffer>) => {
  serve(data).catch((error: unknown) => console.error("bare-worker", error));
};

async function serve(frame: Buffer): Promise<void> {
  const id = frame.readUInt32BE(0);
  const end = 7 + frame.readUInt16BE(5);
  const { method, path } = JSON.parse(frame.toString("utf8", 7, end));
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${backend}${path}`, { method, headers, body: new Uint8Array(frame.subarray(end)) });
  const head = Buffer.from(JSON.stringify({ status: response.status, type: response.headers.get("content-type") }));
  if (!response.body) throw new Error("an answer without a body");
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
process.on("disconnect", () => process.exit(0));
