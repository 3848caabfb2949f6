import type { NativeWorker } from "./native-worker.ts";

/** What a worker has been asked, counted while it answers. */
export interface Tally {
  /** Chats that run. */
  running: number;
  /** The most that ran at once, since it was set to 0. */
  most: number;
  /** All chats. */
  all: number;
}

/** Answers every chat of a worker after `ms`, with half of `tokens` as input and half as output. It ends with the worker. */
export function tally(worker: NativeWorker, { ms = 0, tokens = 20 } = {}): Tally {
  const seen: Tally = { running: 0, most: 0, all: 0 };
  const usage = { prompt_tokens: tokens / 2, completion_tokens: tokens / 2 };
  void (async () => {
    for (;;) {
      const frame = await worker.frames.take("a frame", 600_000).catch(() => undefined);
      if (!frame) return;
      if (frame.type !== "request") continue;
      seen.running += 1;
      seen.all += 1;
      seen.most = Math.max(seen.most, seen.running);
      void Bun.sleep(ms).then(() => {
        seen.running -= 1;
        worker.answerJson(frame.id, { usage });
      });
    }
  })();
  return seen;
}
