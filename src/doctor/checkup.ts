import type { Deps } from "../system/deps.ts";
import { errorCode } from "../worker/backend.ts";
import type { LinkEnd } from "../worker/retry.ts";
import { type NoReply, type Reply, send } from "./http-probe.ts";
import type { Target } from "./target.ts";
import { type Job, TemporaryWorker } from "./temporary-worker.ts";

/** How a job of the doctor's began: the head of its answer, or none. */
export type Asked = { readonly kind: "answered"; readonly response: Response } | NoReply;

export interface AskOptions {
  readonly signal: AbortSignal;
  readonly stream?: boolean;
  /** Fills the request up to so many bytes. */
  readonly bytes?: number;
  readonly timeoutMs: number;
}

/**
 * One run of the doctor: owns the temporary worker, and remembers what one check learns and others need. Whoever made it
 * closes it.
 */
export class Checkup {
  readonly target: Target;
  /** The kind of worker that the server takes; known when the WebSocket check is over. */
  kind = "llm";
  /** Jobs have reached the worker and come back; known when the job check is over. */
  canAsk = false;
  /** Answers arrive late and together; known when the streaming check is over. */
  holdsAnswers = false;
  readonly #deps: Deps;
  readonly #version: string;
  readonly #model: string;
  #worker: TemporaryWorker | undefined;
  #dialling: Promise<TemporaryWorker | LinkEnd> | undefined;
  #isClosed = false;

  constructor(target: Target, version: string, deps: Deps) {
    this.target = target;
    this.#version = version;
    this.#deps = deps;
    this.#model = `moorage-doctor-${deps.ids.secret()}`;
  }

  /** The worker, dialled anew where its link has ended; how that went wrong where it did. */
  worker(): Promise<TemporaryWorker | LinkEnd> {
    // Checks that run at the same time share one: a second of this name would be left behind.
    this.#dialling ??= this.#dial().finally(() => {
      this.#dialling = undefined;
    });
    return this.#dialling;
  }

  async #dial(): Promise<TemporaryWorker | LinkEnd> {
    if (this.#worker?.isRegistered) return this.#worker;
    if (this.#isClosed) throw new Error("the checkup is over");
    const { target, kind } = this;
    const { clock, log } = this.#deps;
    const { server, clientKey } = target;
    const worker = new TemporaryWorker({
      server,
      kind,
      clientKey,
      model: this.#model,
      version: this.#version,
      clock,
      log,
    });
    this.#worker = worker;
    return (await worker.opened()) ?? worker;
  }

  /** Sends a chat request that `job` answers at the other end. Throws where there is no worker to answer it. */
  async ask(job: Job, options: AskOptions): Promise<Asked> {
    const worker = await this.worker();
    if (!(worker instanceof TemporaryWorker)) return { kind: "none", code: `no link: ${worker.reason}`, elapsedMs: 0 };
    const token = this.#deps.ids.secret();
    worker.serve(token, job);
    const { signal, stream = false, bytes = 0, timeoutMs } = options;
    const message = { role: "user", content: "x".repeat(bytes) };
    try {
      const response = await send(`${this.target.base}/v1/chat/completions`, {
        method: "POST",
        key: this.target.apiKey,
        // The token comes first: the worker looks for it there.
        json: { user: token, model: worker.model, stream, messages: [message] },
        signal,
        timeoutMs,
      });
      return { kind: "answered", response };
    } catch (error) {
      return { kind: "none", code: errorCode(error), elapsedMs: 0 };
    }
  }

  /** The same, and all of its answer. */
  async askWhole(job: Job, options: AskOptions): Promise<Reply | NoReply> {
    const { clock } = this.#deps;
    const startedAt = clock.elapsed();
    const asked = await this.ask(job, options);
    const elapsed = (): number => Math.round(clock.elapsed() - startedAt);
    if (asked.kind === "none") return { ...asked, elapsedMs: elapsed() };
    const { response } = asked;
    try {
      const text = await response.text();
      return { kind: "reply", status: response.status, headers: response.headers, text, elapsedMs: elapsed() };
    } catch (error) {
      return { kind: "none", code: errorCode(error), elapsedMs: elapsed() };
    }
  }

  /** Resolves after `ms`, or at once when the signal is aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = (): void => {
        cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#deps.clock.after(ms, end);
      signal.addEventListener("abort", end);
    });
  }

  /** Milliseconds that only go forward. */
  elapsed(): number {
    return this.#deps.clock.elapsed();
  }

  /** Takes the worker away from the server. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.close();
  }
}
