import { duration, rate } from "./format.ts";

/** One answer while it streams. Times are those of `performance.now()`. */
export interface StreamedAnswer {
  startedAt: number;
  /** 0 until the first text. */
  firstAt: number;
  /** Events with text. Most model servers send one for each token. */
  pieces: number;
  /** The output tokens that the model server states; null where it states none. */
  tokens: number | null;
}

/** Describes how fast an answer was: `first text after 310 ms, 42 tokens/s`. */
export function speedOf({ startedAt, firstAt, pieces, tokens }: StreamedAnswer, endedAt: number): string {
  if (firstAt === 0) return `no text after ${duration(endedAt - startedAt)}`;
  const first = `first text after ${duration(firstAt - startedAt)}`;
  const count = tokens ?? pieces;
  const seconds = (endedAt - firstAt) / 1000;
  // The time of a single token is that of its network packet.
  if (count < 2 || seconds <= 0) return first;
  return `${first}, ${tokens === null ? "about " : ""}${rate((count - 1) / seconds)} tokens/s`;
}
