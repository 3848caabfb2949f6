import type { Socket } from "bun";
import type { WorkerSettings } from "../../src/worker/args.ts";
import { ScriptedServer, type ServerLink } from "./scripted-server.ts";
import { startBackend, startRawBackend, startTestWorker, type TestWorkerOptions } from "./test-worker.ts";

/** A scripted server, a worker and a model server, for tests of the traffic between them. */
export class WorkerRig {
  readonly server = new ScriptedServer();
  readonly #running: { stop(): Promise<void> }[] = [];

  /** Starts a worker whose backend answers with `handler`; resolves when it is connected. */
  serve(
    handler: (request: Request) => Response | Promise<Response>,
    settings: Partial<WorkerSettings> = {},
    options: TestWorkerOptions = {},
  ): Promise<ServerLink> {
    return this.#connect(startBackend(handler), settings, options);
  }

  /** Starts a worker whose backend answers `/v1/models` with `models`, and everything else with `handler`. */
  serveFamily(
    models: () => Response,
    handler: (request: Request) => Response | Promise<Response>,
  ): Promise<ServerLink> {
    return this.#connect(startBackend(handler, { list: models }), {});
  }

  /** Starts a worker whose backend writes HTTP by hand. */
  serveRaw(onPost: (socket: Socket, request: string) => void): Promise<ServerLink> {
    return this.#connect(startRawBackend(onPost), {});
  }

  /** Registers something that is to be stopped together with the rig. */
  use<T extends { stop(): Promise<void> }>(running: T): T {
    this.#running.push(running);
    return running;
  }

  async stop(): Promise<void> {
    for (const each of this.#running.reverse()) await each.stop();
    await this.server.stop();
  }

  async #connect(
    backend: { readonly url: string; stop(): Promise<void> },
    settings: Partial<WorkerSettings>,
    options: TestWorkerOptions = {},
  ): Promise<ServerLink> {
    this.use(backend);
    const all = { server: this.server.url, backend: backend.url, drainTimeoutMs: 0, ...settings };
    this.use(startTestWorker(all, options));
    return this.server.worker();
  }
}

/** Returns a body whose pieces the test supplies one by one. */
export function pieces(): {
  stream: ReadableStream<Uint8Array>;
  push(text: string): void;
  end(): void;
  canceled: Promise<void>;
} {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const canceled = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
    },
    cancel: () => canceled.resolve(),
  });
  return {
    stream,
    push: (text) => controller?.enqueue(new TextEncoder().encode(text)),
    end: () => controller?.close(),
    canceled: canceled.promise,
  };
}

/** Headers of an event stream. */
export const EVENTS = { headers: { "content-type": "text/event-stream" } };
