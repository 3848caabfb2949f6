import type { Deps } from "../system/deps.ts";
import { DOCTOR_MODEL } from "../wire/names.ts";
import { errorCode } from "../worker/backend.ts";
import type { LinkEnd } from "../worker/retry.ts";
import { type NoReply, type Reply, send } from "./http-probe.ts";
import type { Target } from "./target.ts";
import { type ConnectedTo, type Job, TemporaryWorker } from "./temporary-worker.ts";

/** The start of the answer to one of the doctor's jobs, or none. */
export type Asked = { readonly kind: "answered"; readonly response: Response } | NoReply;

export interface AskOptions {
  readonly signal: AbortSignal;
  readonly stream?: boolean;
  /** The number of bytes to fill the request with. */
  readonly bytes?: number;
  readonly timeoutMs: number;
}

/**
 * One run of the doctor. It owns the temporary worker, and remembers what one check learns and others need. Its creator MUST
 * close it.
 */
export class Checkup {
  readonly target: Target;
  /** The kind of worker that the server accepts; set by the WebSocket check. */
  kind = "llm";
  /** The server that the worker was connected to last; set by the check of the client key. */
  server: ConnectedTo | undefined;
  /** Whether several servers may answer; set by the check of the servers. */
  isCluster = false;
  /** Whether jobs reach the worker and are answered; set by the job check. */
  canAsk = false;
  /** Whether answers arrive late and all at once; set by the streaming check. */
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
    this.#model = DOCTOR_MODEL + deps.ids.secret();
  }

  /** Returns the worker, redialled if its link has ended, or the end of the link if that failed. */
  worker(): Promise<TemporaryWorker | LinkEnd> {
    // Checks that run at the same time share one worker: a second one would be left behind.
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
    const { server, proxy, clientKey, previousKey, workerId } = target;
    const worker = new TemporaryWorker({
      server,
      proxy,
      kind,
      clientKey,
      previousKey,
      workerId,
      model: this.#model,
      version: this.#version,
      clock,
      log,
    });
    this.#worker = worker;
    const opened = await worker.opened();
    if ("code" in opened) return opened;
    this.server = opened;
    return worker;
  }

  /** Sends a chat request that `job` answers at the worker's end. */
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
        proxy: this.target.proxy,
        key: this.target.apiKey,
        // The token comes first, where the worker looks for it.
        json: { user: token, model: worker.model, stream, messages: [message] },
        signal,
        timeoutMs,
      });
      return { kind: "answered", response };
    } catch (error) {
      return { kind: "none", code: errorCode(error), elapsedMs: 0 };
    }
  }

  /** Does the same and reads the whole answer. */
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

  /** Returns the milliseconds of a clock that only goes forward. */
  elapsed(): number {
    return this.#deps.clock.elapsed();
  }

  /** Disconnects the worker from the server. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.close();
  }
}
