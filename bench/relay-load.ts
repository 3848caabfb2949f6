import type { LoadQuestion, Target } from "./load.ts";

/** Requests under way at once. */
export const CONCURRENCY = 16;
/** With 50 streams and an event every 10 ms, two cores keep time to spare, so that no side reads events in batches. */
export const STREAMS = 50;
export const GAP_MS = 10;

export const PATH = "/v1/chat/completions";
const chat = { model: "bench-chat", messages: [{ role: "user", content: "What floats in a harbour?" }] };

/** The body of a small chat request. */
export const SMALL_CHAT = JSON.stringify(chat);

/** Many small chat requests, `CONCURRENCY` at a time. */
export function smallChats(target: Target, count: number): LoadQuestion {
  return { kind: "requests", target, body: SMALL_CHAT, count, concurrency: CONCURRENCY };
}

/** `STREAMS` chats at once that each stream so many chunks. */
export function chatStreams(target: Target, chunks: number): LoadQuestion {
  const body = JSON.stringify({ ...chat, stream: true, chunks, gap_ms: GAP_MS });
  return { kind: "streams", target, body, count: STREAMS };
}
