import type { NativeWorker, RequestFrame } from "./native-worker.ts";

/** A worker that answers each request by itself. */
export interface Answered {
  readonly worker: NativeWorker;
  /** How many requests it had. */
  readonly count: number;
  close(): void;
}

/** Lets a worker answer each request with `answer`, which gets the parsed body, until it is closed. */
export function answering(
  worker: NativeWorker,
  answer: (worker: NativeWorker, frame: RequestFrame, body: Readonly<Record<string, unknown>>) => void,
): Answered {
  let count = 0;
  const serve = async (): Promise<void> => {
    for (;;) {
      const frame = await worker.request();
      count += 1;
      const text = new TextDecoder().decode(frame.body);
      answer(worker, frame, JSON.parse(text) as Record<string, unknown>); // Tests send objects.
    }
  };
  // Ends when the worker is closed, with an error that says so.
  serve().catch(() => {});
  return {
    worker,
    get count() {
      return count;
    },
    close: () => worker.close(),
  };
}
