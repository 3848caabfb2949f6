/**
 * Many event streams at once: in one process a scripted worker that sends each of them a chunk every 50 ms, the streams
 * spread evenly over that time, and the clients that read them. Arguments: the server's URL, client key, API key, how
 * many streams.
 */

import { decodeFrame, encodeResponse, encodeResponseData } from "../src/wire/frame.ts";
import { NATIVE_PROTOCOL } from "../src/wire/protocol.ts";
import { quantile } from "./numbers.ts";

/** Asked about the time since the last such question. */
export interface ManyStreamsAnswer {
  readonly chunks: number;
  /** Milliseconds between two reads of a stream, of all streams. */
  readonly p50Gap: number;
  readonly p99Gap: number;
  readonly longestGap: number;
  /** Milliseconds between two chunks of a stream as they were sent: what this process itself was late. */
  readonly longestSentGap: number;
}

/** 20 chunks a second in each stream, as a model writes that is in a hurry. */
const EVERY_MS = 50;
const MODEL = "bench-many";
/** As long as what a chat model sends for one token. */
const CHUNK = new TextEncoder().encode(
  `data: ${JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion.chunk",
    created: 1_767_225_600,
    model: MODEL,
    choices: [{ index: 0, delta: { content: " word" }, finish_reason: null }],
  })}\n\n`,
);

const [url = "", clientKey = "", apiKey = "", count = ""] = process.argv.slice(2);
const streams = Number(count);
const ids: number[] = [];
const credit = new Map<number, number>();
let gaps: number[] = [];
let chunks = 0;
let longestSentGap = 0;
const sentAt: number[] = [];

// Bun's client takes its protocols in an options object that the DOM's type does not know.
const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/llm/connect`, {
  protocols: [NATIVE_PROTOCOL],
  perMessageDeflate: false,
} as unknown as string[]);
socket.binaryType = "nodebuffer";
socket.onopen = () => {
  const worker = { worker_id: "many", client_key: clientKey, models: [MODEL], max_concurrency: streams };
  socket.send(JSON.stringify({ type: "register", ...worker }));
};
socket.onmessage = ({ data }: MessageEvent<string | Buffer>) => {
  if (typeof data === "string") {
    if (data.includes('"registered"')) open();
    return;
  }
  const frame = decodeFrame(data);
  if (frame.type === "credit") credit.set(frame.id, (credit.get(frame.id) ?? WINDOW) + frame.bytes);
  if (frame.type !== "request") return;
  const head = { status: 200, headers: [["content-type", "text/event-stream"]] } as const;
  socket.send(plain(encodeResponse(frame.id, head, CHUNK, false)));
  ids.push(frame.id);
  if (ids.length === streams) keepSending();
};
socket.onclose = ({ reason }) => fail(`closed: ${reason}`);

/** What the server lets a worker send ahead, unless it was told otherwise. */
const WINDOW = 256 * 1024;

function open(): void {
  for (let each = 0; each < streams; each += 1) read().catch(fail);
}

/** Each millisecond its share of the streams; a late tick makes up for what it missed. */
function keepSending(): void {
  process.send?.({});
  const startedAt = performance.now();
  let sent = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / EVERY_MS) * streams);
    for (; sent < due; sent += 1) {
      const id = ids[sent % streams] ?? 0;
      const now = performance.now();
      longestSentGap = Math.max(longestSentGap, now - (sentAt[sent % streams] ?? now));
      sentAt[sent % streams] = now;
      const left = credit.get(id) ?? WINDOW;
      if (left < CHUNK.length) continue;
      credit.set(id, left - CHUNK.length);
      socket.send(plain(encodeResponseData(id, CHUNK, false)));
    }
  }, 1);
}

/** Frames are made in plain memory, which is what the DOM's type asks for. */
function plain(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  return frame as Uint8Array<ArrayBuffer>;
}

async function read(): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const body = JSON.stringify({ model: MODEL, stream: true, messages: [] });
  const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
  if (response.status !== 200 || !response.body) throw new Error(`status ${response.status}`);
  let lastAt = 0;
  for await (const bytes of response.body) {
    const now = performance.now();
    if (lastAt > 0) gaps.push(now - lastAt);
    lastAt = now;
    chunks += Math.round(bytes.length / CHUNK.length);
  }
  throw new Error("a stream ended");
}

function fail(error: unknown): void {
  console.error("many-streams", error);
  process.exit(1);
}

process.on("disconnect", () => process.exit(0));
process.on("message", () => {
  const answer: ManyStreamsAnswer = {
    chunks,
    p50Gap: quantile(gaps, 0.5),
    p99Gap: quantile(gaps, 0.99),
    // Not Math.max(…): a minute of a thousand streams is more than a call takes arguments.
    longestGap: gaps.reduce((longest, gap) => Math.max(longest, gap), 0),
    longestSentGap,
  };
  gaps = [];
  chunks = 0;
  longestSentGap = 0;
  process.send?.(answer);
});
