import type { Backend } from "../answering/opening.ts";
import type { Clock, Log } from "../system/deps.ts";
import type { Registered } from "../wire/server-messages.ts";
import { toAnswer } from "../worker/backend.ts";
import { createLoadSampler } from "../worker/host.ts";
import { WorkerLink } from "../worker/link.ts";
import { readAtMost } from "../worker/read-at-most.ts";
import type { LinkEnd } from "../worker/retry.ts";
import { connectUrl } from "../worker/server-url.ts";

/** Serves one of the doctor's jobs. The signal is aborted when the server has given up the job. */
export type Job = (body: Uint8Array, signal: AbortSignal) => Response | Promise<Response>;

export interface TemporaryWorkerOptions {
  readonly server: string;
  readonly proxy: string | false;
  /** `llm` or `asr`. */
  readonly kind: string;
  readonly clientKey: string | undefined;
  readonly previousKey: string | undefined;
  /** The server makes one unless given. */
  readonly workerId: string | undefined;
  /** The model to offer. Made of random bits, so that nobody requests it by chance. */
  readonly model: string;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** The server that has accepted the worker. Servers of earlier versions do not name themselves. */
export interface ConnectedTo {
  readonly id: string | undefined;
  readonly version: string | undefined;
}

/** Jobs at the same time; the checks need three. */
const SLOTS = 8;
const DIAL_MS = 10_000;
/** Longer than any of the doctor's jobs is silent; the server has a limit of its own. */
const SILENCE_MS = 2 * 60 * 60_000;
/** More than the size of any of the doctor's jobs. */
const MAX_JOB_BYTES = 16 * 1024 * 1024;

/**
 * A worker that lives as long as the doctor's visit: a real link, with the doctor itself as its backend. It answers jobs
 * that the doctor has announced, by their tokens, and refuses all others.
 */
export class TemporaryWorker {
  readonly model: string;
  /** Resolves when the link has ended, with the reason. */
  readonly ended: Promise<LinkEnd>;
  readonly #registered: Promise<Registered>;
  readonly #link: WorkerLink;
  readonly #jobs = new Map<string, Job>();

  constructor(options: TemporaryWorkerOptions) {
    const { server, proxy, kind, clientKey, previousKey, workerId, model, version, clock, log } = options;
    this.model = model;
    const ended = Promise.withResolvers<LinkEnd>();
    const registered = Promise.withResolvers<Registered>();
    this.ended = ended.promise;
    this.#registered = registered.promise;
    this.#link = new WorkerLink({
      url: connectUrl(server, kind),
      proxy,
      register: () => ({
        type: "register",
        client_key: clientKey,
        previous_client_key: previousKey,
        worker_id: workerId,
        worker_name: "moorage doctor",
        models: [model],
        max_concurrency: SLOTS,
        version,
      }),
      jobs: {
        backend: this.#backend(),
        maxConcurrency: () => SLOTS,
        requestTimeoutMs: SILENCE_MS,
        onUnreachable: () => {},
      },
      load: createLoadSampler(),
      clock,
      log,
      random: Math.random,
      dialTimeoutMs: DIAL_MS,
      onRegistered: (answer) => registered.resolve(answer),
      onLeaving: () => {},
      onClosed: (end) => ended.resolve(end),
    });
  }

  get isRegistered(): boolean {
    return this.#link.isRegistered;
  }

  /** Resolves to the server once it has accepted the registration, or to the end of the link if it did not. */
  opened(): Promise<LinkEnd | ConnectedTo> {
    return Promise.race([
      this.#registered.then(
        ({ server_id, server_version }): ConnectedTo => ({ id: server_id, version: server_version }),
      ),
      this.ended,
    ]);
  }

  /** Announces the job whose body begins with this token in its `user` field. One run has about twenty of them. */
  serve(token: string, job: Job): void {
    this.#jobs.set(token, job);
  }

  /** Sends one message of so many bytes, of a type that servers ignore. */
  sendPadding(bytes: number): void {
    this.#link.sendControl({ type: "doctor_padding", padding: "x".repeat(bytes) });
  }

  /** Leaves as a worker does, and resolves when the link is closed. */
  async close(): Promise<void> {
    this.#link.sendControl({ type: "status_update", status: "draining", models: [], max_concurrency: SLOTS });
    this.#link.breakOff("the doctor is done");
    await this.ended;
  }

  #backend(): Backend {
    return {
      open: () => ({
        kind: "ask",
        ask: async (body, signal) => {
          const bytes = await toBytes(body);
          const token = /^\{"user":"([\w-]{1,64})"/.exec(Buffer.from(bytes.subarray(0, 100)).toString())?.[1];
          const job = this.#jobs.get(token ?? "");
          const unannounced = (): Response =>
            Response.json({ error: { message: "Only for checks." } }, { status: 404 });
          return toAnswer(await (job ?? unannounced)(bytes, signal));
        },
        mayFallSilent: false,
      }),
    };
  }
}

async function toBytes(body: Uint8Array | ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> {
  if (!(body instanceof ReadableStream)) return body ?? new Uint8Array(0);
  return (await readAtMost(body, MAX_JOB_BYTES)).bytes;
}
