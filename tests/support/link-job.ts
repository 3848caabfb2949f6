import type { Answer, Opening } from "../../src/answering/opening.ts";
import type { Exchange, ExchangeRequest } from "../../src/tunnel/exchange.ts";
import { StrictSink } from "./session-rig.ts";

/** Returns bytes whose values depend on the job and on their position, so that misplaced bytes are noticed. */
export function patterned(job: number, from: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, at) => ((from + at) * 7 + job * 31) & 0xff);
}

/** A source of patterned bytes, which a test controls. It records how it ended. */
export class Source {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #job: number;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #isCanceled = false;
  given = 0;
  ending: "open" | "ended" | "failed" = "open";

  constructor(job: number) {
    this.#job = job;
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#isCanceled = true;
      },
    });
  }

  /** Whether the source has ended or was cancelled. */
  get isOver(): boolean {
    return this.#isCanceled || this.ending !== "open";
  }

  give(count: number): void {
    if (this.isOver) return;
    this.#controller?.enqueue(patterned(this.#job, this.given, count));
    this.given += count;
  }

  end(): void {
    if (this.isOver) return;
    this.ending = "ended";
    this.#controller?.close();
  }

  fail(): void {
    if (this.isOver) return;
    this.ending = "failed";
    this.#controller?.error(new Error("the source broke off"));
  }
}

/** The behaviour of a job's backend. */
export type Manner = "answers" | "refuses" | "is busy" | "cannot be reached" | "is not asked";

/** One job, from its client at one end to its backend at the other. */
export class LinkJob {
  readonly id: number;
  readonly manner: Manner;
  readonly sink = new StrictSink();
  /** The source of the request's body; undefined for a body that is whole from the start. */
  readonly upload: Source | undefined;
  readonly wholeBytes: number;
  readonly answer: Source;
  exchange: Exchange | undefined;
  taken = 0;
  /** The pieces of the request that the backend has read. */
  readonly read: Uint8Array[] = [];
  asked = 0;
  /** Whether the backend has read the request to its end. */
  hasReadAll = false;
  signal: AbortSignal | undefined;
  #hasResponded = false;
  readonly #respond = Promise.withResolvers<Answer>();
  #reader: { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> } | undefined;

  constructor(id: number, manner: Manner, wholeBytes: number | undefined) {
    this.id = id;
    this.manner = manner;
    this.upload = wholeBytes === undefined ? new Source(id) : undefined;
    this.wholeBytes = wholeBytes ?? 0;
    this.answer = new Source(id);
    // The answer may have no reader any more, so its failure must not count as unhandled.
    this.#respond.promise.catch(() => {});
  }

  request(): ExchangeRequest {
    const body = this.upload?.stream ?? patterned(this.id, 0, this.wholeBytes);
    return { head: { method: "POST", path: `/${this.id}`, headers: [] }, body };
  }

  /** Returns the backend's decision about the job. */
  open(): Opening {
    if (this.manner === "is busy") return { kind: "refuse", code: "busy", message: "no slot is free" };
    if (this.manner === "refuses") return { kind: "refuse", code: "protocol_error", message: "no" };
    if (this.manner === "is not asked") return { kind: "answer", status: 400, body: {} };
    return {
      kind: "ask",
      mayFallSilent: false,
      ask: (body, signal) => {
        this.asked += 1;
        this.signal = signal;
        if (body instanceof Uint8Array) this.read.push(body.slice());
        else this.#reader = body?.getReader();
        if (this.#reader === undefined) this.hasReadAll = true;
        const gone = (): void => {
          this.answer.fail();
          this.#respond.reject(new DOMException("aborted", "AbortError"));
        };
        if (signal.aborted) gone();
        else signal.addEventListener("abort", gone);
        return this.#respond.promise;
      },
    };
  }

  respond(): void {
    if (this.#hasResponded) return;
    this.#hasResponded = true;
    if (this.manner === "cannot be reached") {
      this.#respond.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));
    } else this.#respond.resolve({ status: 200, headers: [], body: this.answer.stream });
  }

  /** Lets the backend read one piece of the request, if there is one. */
  readOne(): void {
    this.#reader?.read().then(
      ({ done, value }) => {
        if (done) this.hasReadAll = true;
        else if (value) this.read.push(value.slice());
      },
      () => {},
    );
  }

  take(): void {
    const held = this.sink.body.length - this.taken;
    this.taken += held;
    this.exchange?.consumed(held);
  }
}
