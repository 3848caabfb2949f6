import { type CallerClass, createCaller } from "../../src/auth/caller.ts";
import { configuredKeys, type KeyRecord, type KeySources, sha256 } from "../../src/auth/keys.ts";
import type { Config } from "./default-config.ts";
import type { NativeWorker, RequestFrame } from "./native-worker.ts";

/** The part of a key that decides about its place in the queue. */
export interface QueueKey {
  readonly weight?: number;
  readonly class?: CallerClass;
}

/** Returns the keys of the configuration and these, each of which is its own name and its caller's. */
export function keysWith(keys: Readonly<Record<string, QueueKey>>): (config: Config) => KeySources {
  return (config) => {
    const configured = configuredKeys(config);
    const records = new Map<string, KeyRecord>();
    for (const [name, rules] of Object.entries(keys)) {
      const caller = createCaller(name, { maxRequests: config.maxRequestsPerKey });
      records.set(sha256(name), { ...caller, ...rules, owner: name });
    }
    const find = (hash: string): KeyRecord | undefined => records.get(hash) ?? configured.api.find(hash);
    return { ...configured, api: { isEmpty: false, find, hasOwner: () => false } };
  };
}

/** Returns the id of the client's request, which a test uses as a job's mark. */
export function markOf({ head }: RequestFrame): string {
  return head.headers.find(([name]) => name === "x-request-id")?.[1] ?? "";
}

/** The jobs of a worker that answers each one after the same time. */
export class WorkedJobs {
  /** The marks of all jobs that the worker got, in this order. */
  readonly marks: string[] = [];
  readonly #worker: NativeWorker;
  #isOver = false;

  /** `answer` sends the whole answer of one job. */
  constructor(worker: NativeWorker, jobMs: number, answer: (worker: NativeWorker, request: RequestFrame) => void) {
    this.#worker = worker;
    void worker.closed.then(() => this.stop());
    void this.#work(jobMs, answer);
  }

  stop(): void {
    this.#isOver = true;
  }

  async #work(jobMs: number, answer: (worker: NativeWorker, request: RequestFrame) => void): Promise<void> {
    while (!this.#isOver) {
      const frame = await this.#worker.frames.take("a frame", 60_000).catch(() => undefined);
      if (frame?.type !== "request") continue;
      this.marks.push(markOf(frame));
      setTimeout(() => {
        if (!this.#isOver) answer(this.#worker, frame);
      }, jobMs);
    }
  }
}

/** Answers with a JSON body that states these tokens. */
export function answerWithTokens(input: number, output: number) {
  return (worker: NativeWorker, { id }: RequestFrame): void =>
    worker.answerJson(id, { usage: { prompt_tokens: input, completion_tokens: output } });
}
