import type { CancelTimer, Clock } from "../system/deps.ts";
import { type Progress, watchSilence } from "../system/silence.ts";
import { SendCredit } from "../wire/credit.ts";
import {
  bodyRoom,
  encodeCredit,
  encodeReset,
  encodeResponse,
  encodeResponseData,
  type RequestHead,
  type ResetCode,
  type ResponseHead,
} from "../wire/frame.ts";
import { type Body, BodyPump } from "../wire/pump.ts";
import { toFailure, toHeaderPairs } from "../worker/backend.ts";
import type { Backend, Opening } from "./opening.ts";
import { Upload } from "./upload.ts";

/** The link under an exchange. */
export interface Wire {
  /** False while the socket is congested; `WorkerExchange.resume` is called when it has drained. */
  hasRoom(): boolean;
  send(frame: Uint8Array): void;
}

/** How an exchange ended, seen from the worker. `status` is the backend's answer, if there was one. */
export interface ExchangeOutcome {
  readonly kind: "complete" | "canceled" | "lost" | "broken";
  readonly status: number | undefined;
  readonly code: ResetCode | undefined;
  readonly message: string | undefined;
  readonly elapsedMs: number;
}

export interface WorkerExchangeOptions {
  readonly id: number;
  readonly wire: Wire;
  /** Body bytes that each direction starts with. */
  readonly window: number;
  readonly backend: Backend;
  readonly clock: Clock;
  /** Longest silence of the backend; the server's own limit, when it names a shorter one, comes first. */
  readonly requestTimeoutMs: number;
  /** Called once; the id may be forgotten. */
  readonly onEnded: (outcome: ExchangeOutcome) => void;
}

/** An answer whose length is known and not above this travels in one frame, head, body and end. */
const SMALL_ANSWER_BYTES = 64 * 1024;
/** What the pump's largest slice needs beside the head. */
const SLICE_BYTES = 128 * 1024;
const EMPTY = new Uint8Array(0);

/** One request from the server and the backend's answer to it, as the worker sees them. Starts when it is made. */
export class WorkerExchange implements Progress {
  readonly #options: WorkerExchangeOptions;
  readonly #credit: SendCredit;
  readonly #abort = new AbortController();
  readonly #startedAt: number;
  #upload: Upload | undefined;
  #pump: BodyPump | undefined;
  /** Set once the backend has answered. */
  #head: ResponseHead | undefined;
  #headSent = false;
  #ended = false;
  #stopWatch: CancelTimer | undefined;
  lastProgressAt: number;

  constructor(options: WorkerExchangeOptions) {
    this.#options = options;
    this.#credit = new SendCredit(options.window);
    this.#startedAt = options.clock.elapsed();
    this.lastProgressAt = this.#startedAt;
  }

  /** Sends the request to the backend; `end` says that `body` is all of it. Called once. */
  start(head: RequestHead, body: Uint8Array, end: boolean): void {
    const { backend, requestTimeoutMs } = this.#options;
    const opening = backend.open(head);
    if (opening.kind === "refuse") return this.breakOff(opening.code, opening.message);
    if (!end) this.#upload = this.#createUpload();
    if (opening.kind === "answer") {
      // What is still on its way has no taker.
      this.#upload?.drop();
      const headers = [...(opening.headers ?? []), ["content-type", "application/json"] as const];
      return this.#respond({ status: opening.status, headers }, Buffer.from(JSON.stringify(opening.body)));
    }
    if (!end) this.handleData(body, false);
    if (this.#ended) return;
    // The server names its own limit, so that a backend is not kept busy for an answer that nobody waits for.
    this.#watchSilence(Math.min(head.timeout_ms || requestTimeoutMs, requestTimeoutMs));
    const whole = body.length > 0 ? body : undefined;
    this.#serve(opening, this.#upload?.stream ?? whole).catch((error: unknown) => {
      const { code, message } = toFailure(error);
      this.breakOff(code, message);
    });
  }

  #createUpload(): Upload {
    const { id, window, wire } = this.#options;
    return new Upload({
      window,
      grant: (bytes) => wire.send(encodeCredit(id, bytes)),
      onTaken: () => this.#progress(),
    });
  }

  /** More of the request's body. */
  handleData(body: Uint8Array, end: boolean): void {
    if (!this.#upload || this.#upload.isWhole)
      this.breakOff("protocol_error", "request data after the end of the request");
    else if (!this.#upload.push(body, end)) this.breakOff("flow_control", "more request bytes than were granted");
  }

  handleCredit(bytes: number): void {
    this.#credit.grant(bytes);
    this.resume();
  }

  /** The server has given the exchange up; it counts the slot as taken until this is confirmed. */
  handleReset(): void {
    if (this.#ended) return;
    this.#giveUp("canceled by the server");
    this.#options.wire.send(encodeReset(this.#options.id, "canceled", "canceled"));
    this.#end("canceled");
  }

  /** The link is gone: there is nobody to tell. */
  handleLost(): void {
    if (this.#ended) return;
    this.#giveUp("the link was lost");
    this.#end("lost");
  }

  /** Ends the exchange from this side, before its answer is complete. */
  breakOff(code: ResetCode, message: string): void {
    if (this.#ended) return;
    this.#giveUp(message);
    this.#options.wire.send(encodeReset(this.#options.id, code, message));
    this.#end("broken", code, message);
  }

  /** Sends as much of the answer as credit and socket allow. */
  resume(): void {
    if (!this.#ended) this.#pump?.resume();
  }

  async #serve(
    { ask, mayFallSilent }: Extract<Opening, { readonly kind: "ask" }>,
    body: Uint8Array | ReadableStream<Uint8Array> | undefined,
  ): Promise<void> {
    const response = await ask(body, this.#abort.signal);
    this.#progress();
    if (this.#ended) return;
    if (mayFallSilent) this.#stopWatch?.();
    const answer: ResponseHead = { status: response.status, headers: toHeaderPairs(response.headers) };
    if (answer.status < 200 || answer.status > 599 || bodyRoom(answer) < SLICE_BYTES) {
      return this.breakOff("upstream_error", "the model server's answer has a head that cannot be passed on");
    }
    this.#head = answer;
    const bytes = isSmall(response, this.#options.window) ? await response.bytes() : undefined;
    if (this.#ended) return;
    this.#respond(answer, bytes ?? toBody(response));
    // A first chunk that is there already travels with the head; one that is not must not hold the head back.
    if (!this.#headSent && bytes === undefined) setImmediate(() => this.#sendHead());
  }

  #respond(head: ResponseHead, body: Body): void {
    this.#head = head;
    this.#pump = new BodyPump(body, this.#credit, {
      hasRoom: () => this.#options.wire.hasRoom(),
      send: (piece, end) => this.#send(piece, end),
      fail: (error) => {
        const { code, message } = toFailure(error);
        // The backend had answered, so it was reached, whatever the socket's error is called.
        this.breakOff(code === "upstream_unreachable" ? "upstream_error" : code, message);
      },
    });
    this.#pump.resume();
  }

  #sendHead(): void {
    if (!this.#headSent && !this.#ended) this.#send(EMPTY, false);
  }

  #send(piece: Uint8Array, end: boolean): void {
    const { id, wire } = this.#options;
    this.#progress();
    if (this.#headSent || !this.#head) wire.send(encodeResponseData(id, piece, end));
    else {
      this.#headSent = true;
      wire.send(encodeResponse(id, this.#head, piece, end));
    }
    if (!end) return;
    // The backend answered without reading the whole upload: its connection is of no further use.
    if (this.#upload && !this.#upload.isWhole) this.#giveUp("the answer is complete");
    this.#end("complete");
  }

  #progress(): void {
    this.lastProgressAt = this.#options.clock.elapsed();
  }

  #watchSilence(silenceMs: number): void {
    const limits = { silenceMs, stallMs: Number.POSITIVE_INFINITY };
    this.#stopWatch = watchSilence(this.#options.clock, this, limits, () =>
      this.breakOff("timeout", `the model server was silent for ${silenceMs} ms`),
    );
  }

  /** The backend is held back: the server takes no more of its answer, or still owes it a part of the request. */
  get isWaitingForUs(): boolean {
    if (this.#head) return this.#credit.left <= 0 || !this.#options.wire.hasRoom();
    return this.#upload?.isStarved === true;
  }

  #giveUp(reason: string): void {
    this.#pump?.stop(reason);
    this.#upload?.fail(reason);
    this.#abort.abort();
  }

  #end(kind: ExchangeOutcome["kind"], code?: ResetCode, message?: string): void {
    this.#ended = true;
    this.#stopWatch?.();
    this.#options.onEnded({
      kind,
      status: this.#head?.status,
      code,
      message,
      elapsedMs: this.#options.clock.elapsed() - this.#startedAt,
    });
  }
}

function isSmall(response: Response, window: number): boolean {
  const length = response.headers.get("content-length");
  if (length === null || !/^\d{1,6}$/.test(length)) return false;
  const isEvents = response.headers.get("content-type")?.toLowerCase().startsWith("text/event-stream") === true;
  return !isEvents && Number(length) <= Math.min(SMALL_ANSWER_BYTES, window);
}

function toBody(response: Response): Body {
  return response.body ?? EMPTY;
}
