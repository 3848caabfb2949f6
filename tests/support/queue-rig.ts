import { type CallerClass, createCaller } from "../../src/auth/caller.ts";
import { configuredKeys, type KeyRecord, type KeySources, sha256 } from "../../src/auth/keys.ts";
import type { Deps } from "../../src/system/deps.ts";
import { AudioServer } from "./audio-server.ts";
import type { Config } from "./default-config.ts";
import { eventually } from "./eventually.ts";
import type { NativeWorker, RequestFrame } from "./native-worker.ts";

/** What decides about the place of a key in the queue. */
export interface QueueKey {
  readonly weight?: number;
  readonly class?: CallerClass;
}

/** Returns the configured keys and these, each of which is called like its caller. */
function keysWith(keys: Readonly<Record<string, QueueKey>>): (config: Config) => KeySources {
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

/** The client's side of a request: its mark is the request id, under which the worker gets it. */
export interface Sent {
  readonly mark: string;
  readonly answer: Promise<Response>;
  readonly leave: () => void;
}

/** A server whose keys have weights and classes. */
export class QueueServer extends AudioServer {
  #sent = 0;

  constructor(keys: Readonly<Record<string, QueueKey>>, overrides: Partial<Config> = {}, deps: Partial<Deps> = {}) {
    super(overrides, deps, keysWith(keys));
  }

  /** Sends a chat with a key. */
  send(key: string, headers: Readonly<Record<string, string>> = {}, body: object = {}): Sent {
    return this.#send(key, (init) => this.chat("m", body, { ...init, headers: { ...init.headers, ...headers } }));
  }

  /** Sends so many chats with a key. */
  sendMany(count: number, key: string, headers: Readonly<Record<string, string>> = {}, body: object = {}): Sent[] {
    return Array.from({ length: count }, () => this.send(key, headers, body));
  }

  /** Uploads audio with a key. */
  upload(key: string): Sent {
    const form = [
      { name: "model", value: "m" },
      { name: "file", value: "RIFF", filename: "a.wav" },
    ];
    return this.#send(key, (init) => this.transcribe(form, init));
  }

  /** Resolves when so many jobs of a plugin wait. */
  async waiting(jobs: number, plugin: "llm" | "asr" = "llm"): Promise<void> {
    await eventually(
      async () => {
        const { server } = await (plugin === "llm" ? this.state() : this.asrState());
        return server["scheduler_queue_len"] === jobs;
      },
      `${jobs} jobs wait`,
      10_000,
    );
  }

  #send(
    key: string,
    send: (init: { headers: Record<string, string>; signal: AbortSignal }) => Promise<Response>,
  ): Sent {
    this.#sent += 1;
    const mark = `${key}-${this.#sent}`;
    const client = new AbortController();
    const answer = send({ headers: { authorization: `Bearer ${key}`, "x-request-id": mark }, signal: client.signal });
    // A test may end while requests still wait.
    answer.catch(() => {});
    return { mark, answer, leave: () => client.abort() };
  }
}

/** Sends a worker's whole answer to one request. */
export type AnswerJob = (worker: NativeWorker, request: RequestFrame) => void;

/** The jobs of one worker, which answers each of them after the same time. */
export class WorkedJobs {
  /** The marks of the jobs that the worker has got, in this order. */
  readonly marks: string[] = [];
  readonly #worker: NativeWorker;
  #isOver = false;
  /** Resolves when answers may be sent. */
  #released: Promise<void> = Promise.resolve();
  #release: () => void = () => {};

  constructor(worker: NativeWorker, jobMs: number, answer: AnswerJob = answerJson) {
    this.#worker = worker;
    void worker.closed.then(() => this.stop());
    void this.#work(jobMs, answer);
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Sends no answer until `release`, so that nothing gets a slot. */
  hold(): void {
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release();
  }

  /** Counts the jobs that have got a slot by now, also those that are still on their way to the worker. */
  async count(): Promise<number> {
    await this.#worker.roundTrip();
    return this.marks.length;
  }

  /** Resolves when the job with this mark has got a slot. Returns how many jobs got one from the `from`th to this one. */
  async placeOf(mark: string, from: number): Promise<number> {
    await eventually(() => this.marks.includes(mark), `${mark} has a slot`, 30_000);
    return this.marks.indexOf(mark) + 1 - from;
  }

  async #work(jobMs: number, answer: AnswerJob): Promise<void> {
    while (!this.#isOver) {
      const frame = await this.#worker.frames.take("a frame", 60_000).catch(() => undefined);
      if (frame?.type !== "request") continue;
      this.marks.push(markOf(frame));
      void Bun.sleep(jobMs).then(async () => {
        await this.#released;
        if (!this.#isOver) answer(this.#worker, frame);
      });
    }
  }
}

function answerJson(worker: NativeWorker, { id }: RequestFrame): void {
  worker.answerJson(id, { usage: { prompt_tokens: 10, completion_tokens: 10 } });
}

/** Returns the id of the client's request. */
export function markOf({ head }: RequestFrame): string {
  return head.headers.find(([name]) => name === "x-request-id")?.[1] ?? "";
}
