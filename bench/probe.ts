/**
 * A stream that other load disturbs. One process contains a scripted worker that sends a chunk every 5 ms and the client
 * that reads the chunks through the server. Both ends use one clock, so transit time can be told from a late timer.
 * Arguments: the server's URL, client key, API key.
 */

import { decodeFrame, encodeResponse, encodeResponseData } from "../src/wire/frame.ts";
import { NATIVE_PROTOCOL } from "../src/wire/protocol.ts";
import { quantile } from "./numbers.ts";

/** Asks about the time since the last such question. */
export interface ProbeAnswer {
  readonly chunks: number;
  /** The longest time between two chunks at the client, in milliseconds. */
  readonly longestGap: number;
  /** Milliseconds from worker to client through the server. */
  readonly longestWay: number;
  readonly p99Way: number;
}

const EVERY_MS = 5;
/** A chunk is a comment line of fixed length with its number, so that a read with several chunks can be split. */
const CHUNK_CHARS = 12;
const MODEL = "bench-probe";

const [url = "", clientKey = "", apiKey = ""] = process.argv.slice(2);
const encoder = new TextEncoder();
const sentAt: number[] = [];
let ways: number[] = [];
let longestGap = 0;
let lastAt = performance.now();

// Bun's client accepts protocols in an options object that the DOM's type does not know.
const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/llm/connect`, {
  protocols: [NATIVE_PROTOCOL],
} as unknown as string[]);
socket.binaryType = "nodebuffer";
socket.onopen = () => {
  socket.send(JSON.stringify({ type: "register", worker_id: "probe", client_key: clientKey, models: [MODEL] }));
};
socket.onmessage = ({ data }: MessageEvent<string | Buffer>) => {
  if (typeof data === "string") {
    if (data.includes('"registered"')) read().catch(fail);
    return;
  }
  const frame = decodeFrame(data);
  // Credit is not counted, because a minute of these chunks fits into the first window.
  if (frame.type === "request") answer(frame.id);
};
socket.onclose = ({ reason }) => fail(`closed: ${reason}`);

function answer(id: number): void {
  const head = { status: 200, headers: [["content-type", "text/event-stream"]] } as const;
  socket.send(plain(encodeResponse(id, head, new Uint8Array(0), false)));
  setInterval(() => {
    const number = String(sentAt.length).padStart(CHUNK_CHARS - 4, "0");
    sentAt.push(performance.now());
    socket.send(plain(encodeResponseData(id, encoder.encode(`: ${number}\n\n`), false)));
  }, EVERY_MS);
}

/** Frames are in plain memory, as the DOM's type requires. */
function plain(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  return frame as Uint8Array<ArrayBuffer>;
}

async function read(): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const body = JSON.stringify({ model: MODEL, stream: true, messages: [] });
  const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
  if (!response.body) throw new Error(`status ${response.status}`);
  process.send?.({});
  let chars = 0;
  for await (const bytes of response.body) {
    const now = performance.now();
    longestGap = Math.max(longestGap, now - lastAt);
    lastAt = now;
    for (let at = Math.floor(chars / CHUNK_CHARS); at < Math.floor((chars + bytes.length) / CHUNK_CHARS); at += 1) {
      ways.push(now - (sentAt[at] ?? now));
    }
    chars += bytes.length;
  }
  throw new Error("the stream ended");
}

function fail(error: unknown): void {
  console.error("probe", error);
  process.exit(1);
}

process.on("disconnect", () => process.exit(0));
process.on("message", () => {
  const answer: ProbeAnswer = {
    chunks: ways.length,
    longestGap,
    longestWay: Math.max(...ways),
    p99Way: quantile(ways, 0.99),
  };
  ways = [];
  longestGap = 0;
  process.send?.(answer);
});
