/**
 * Many event streams at once. One process contains the clients that read them and a scripted worker that sends each stream
 * a chunk every 50 ms, spread evenly over that time. Arguments: the server's URL, client key, API key, number of streams, and
 * the URL of another server of the cluster if the clients should enter there.
 */

import { decodeFrame, encodeResponse, encodeResponseData } from "../src/wire/frame.ts";
import { NATIVE_PROTOCOL } from "../src/wire/protocol.ts";
import { quantile } from "./numbers.ts";

/** Asks about the time since the last such question. */
export interface ManyStreamsAnswer {
  readonly chunks: number;
  /** Milliseconds between two reads of a stream, over all streams. */
  readonly p50Gap: number;
  readonly p99Gap: number;
  readonly longestGap: number;
  /** Milliseconds between two chunks of a stream when they were sent, which shows this process's own delays. */
  readonly longestSentGap: number;
}

/** 20 chunks per second in each stream: the rate of a fast model. */
const EVERY_MS = 50;
const MODEL = "bench-many";
/** As long as one token's chunk from a chat model. */
const CHUNK = new TextEncoder().encode(
  `data: ${JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion.chunk",
    created: 1_767_225_600,
    model: MODEL,
    choices: [{ index: 0, delta: { content: " word" }, finish_reason: null }],
  })}\n\n`,
);

const [url = "", clientKey = "", apiKey = "", count = "", entry = url] = process.argv.slice(2);
const streams = Number(count);
const ids: number[] = [];
const credit = new Map<number, number>();
let gaps: number[] = [];
let chunks = 0;
let longestSentGap = 0;
const sentAt: number[] = [];

// Bun's client accepts protocols in an options object that the DOM's type does not know.
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
    if (data.includes('"registered"')) open().catch(fail);
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

/** The server's default for the bytes that a worker may send ahead. */
const WINDOW = 256 * 1024;

async function open(): Promise<void> {
  await served();
  for (let each = 0; each < streams; each += 1) read().catch(fail);
}

/** Resolves when the server that the clients enter lists the model, which another server has to tell it first. */
async function served(): Promise<void> {
  for (;;) {
    const response = await fetch(`${entry}/v1/models`, { headers: { authorization: `Bearer ${apiKey}` } });
    if ((await response.text()).includes(`"${MODEL}"`)) return;
    await Bun.sleep(20);
  }
}

/** Each millisecond sends to its share of the streams. A late tick catches up. */
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

/** Frames are in plain memory, as the DOM's type requires. */
function plain(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  return frame as Uint8Array<ArrayBuffer>;
}

async function read(): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const body = JSON.stringify({ model: MODEL, stream: true, messages: [] });
  const response = await fetch(`${entry}/v1/chat/completions`, { method: "POST", headers, body });
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
    // Math.max(…) cannot take this many arguments: a minute of a thousand streams.
    longestGap: gaps.reduce((longest, gap) => Math.max(longest, gap), 0),
    longestSentGap,
  };
  gaps = [];
  chunks = 0;
  longestSentGap = 0;
  process.send?.(answer);
});
