import type { Clock } from "../system/deps.ts";
import { type Progress, SilenceWatch } from "../system/silence.ts";
import { SendCredit } from "../wire/credit.ts";
import {
  bodyRoom,
  encodeCredit,
  encodeReset,
  encodeResponse,
  encodeResponseData,
  type ResetCode,
} from "../wire/frame.ts";
import type { RequestHead, ResponseHead } from "../wire/heads.ts";
import { type Body, BodyPump, SLICE_BYTES } from "../wire/pump.ts";
import { isEventStreamType } from "../wire/response-progress.ts";
import { gather } from "./gather.ts";
import type { Answer, Backend, Failure, Opening } from "./opening.ts";
import { Upload } from "./upload.ts";

/** The link under an exchange. */
export interface FrameOutlet {
  /** False while the socket is congested; `AnsweringExchange.resume` is called when it has drained. */
  hasRoom(): boolean;
  send(frame: Uint8Array): void;
}

/** How an exchange ended, seen from the answering end. `status` is the backend's, if it answered. */
export interface ExchangeOutcome {
  readonly kind: "complete" | "canceled" | "lost" | "broken";
  readonly status: number | undefined;
  readonly code: ResetCode | undefined;
  readonly message: string | undefined;
  readonly elapsedMs: number;
}

export interface AnsweringExchangeOptions {
  readonly id: number;
  readonly outlet: FrameOutlet;
  /** Body bytes that each direction starts with. */
  readonly window: number;
  readonly backend: Backend;
  /** Says what an error of `Opening.ask`, or of an answer's body, means on the wire. */
  readonly toFailure: (error: unknown) => Failure;
  readonly clock: Clock;
  /** Longest silence of the backend; the asking end's own limit applies when it names a shorter one. */
  readonly requestTimeoutMs: number;
  /** Called once; the id may then be forgotten. */
  readonly onEnded: (outcome: ExchangeOutcome) => void;
}

/** An answer whose length is known and not above this travels in one frame: head, body and end. */
const SMALL_ANSWER_BYTES = 64 * 1024;
const EMPTY = new Uint8Array(0);

/** One request from the asking end and the backend's answer to it. */
export class AnsweringExchange implements Progress {
  readonly #options: AnsweringExchangeOptions;
  readonly #credit: SendCredit;
  readonly #abort = new AbortController();
  readonly #startedAt: number;
  #upload: Upload | undefined;
  #pump: BodyPump | undefined;
  /** Set once the backend has answered. */
  #head: ResponseHead | undefined;
  #headSent = false;
  #isListening = false;
  #ended = false;
  #silence: SilenceWatch | undefined;
  lastProgressAt: number;

  constructor(options: AnsweringExchangeOptions) {
    this.#options = options;
    this.#credit = new SendCredit(options.window);
    this.#startedAt = options.clock.elapsed();
    this.lastProgressAt = this.#startedAt;
  }

  /** Sends the request to the backend. With `end`, `body` is the whole request body. Called once. */
  start(head: RequestHead, body: Uint8Array, end: boolean): void {
    const { backend, clock, requestTimeoutMs, toFailure } = this.#options;
    const opening = backend.open(head);
    if (opening.kind === "refuse") return this.breakOff(opening);
    if (!end) this.#upload = this.#createUpload();
    if (opening.kind === "answer") {
      // The rest of the request has no reader.
      this.#upload?.drop();
      const headers = [...(opening.headers ?? []), ["content-type", "application/json"] as const];
      const { status, refused, called } = opening;
      const answerHead = { status, headers, ...(refused ? { refused } : {}), ...(called ? { called } : {}) };
      return this.#respond(answerHead, Buffer.from(JSON.stringify(opening.body)));
    }
    if (!end) this.handleData(body, false);
    if (this.#ended) return;
    this.#isListening = opening.isListening === true;
    const silenceMs = silenceLimit(head.timeout_ms, requestTimeoutMs);
    const limits = { silenceMs, stallMs: Number.POSITIVE_INFINITY };
    this.#silence = new SilenceWatch(clock, this, limits, () =>
      this.breakOff({ code: "timeout", message: `the backend was silent for ${silenceMs} ms` }),
    );
    const whole = body.length > 0 ? body : undefined;
    this.#serve(opening, this.#upload?.stream ?? whole).catch((error: unknown) => this.breakOff(toFailure(error)));
  }

  #createUpload(): Upload {
    const { id, window, outlet } = this.#options;
    return new Upload({
      window,
      grant: (bytes) => outlet.send(encodeCredit(id, bytes)),
      onTaken: () => this.#progress(),
    });
  }

  /** Takes more of the request's body. */
  handleData(body: Uint8Array, end: boolean): void {
    if (!this.#upload || this.#upload.isWhole)
      this.breakOff({ code: "protocol_error", message: "request data after the end of the request" });
    else if (!this.#upload.push(body, end))
      this.breakOff({ code: "flow_control", message: "more request bytes than were granted" });
  }

  handleCredit(bytes: number): void {
    this.#credit.grant(bytes);
    this.resume();
  }

  /** Gives up because the asking end did, and confirms it: the slot counts as taken until then. */
  handleReset(): void {
    if (this.#ended) return;
    this.#giveUp("canceled by the server");
    this.#options.outlet.send(encodeReset(this.#options.id, "canceled", "canceled"));
    this.#end("canceled");
  }

  /** Gives up because the link is gone; nothing more is sent. */
  handleLost(): void {
    if (this.#ended) return;
    this.#giveUp("the link was lost");
    this.#end("lost");
  }

  /** Ends the exchange from this side, before its answer is complete. */
  breakOff({ code, message }: Failure): void {
    if (this.#ended) return;
    this.#giveUp(message);
    this.#options.outlet.send(encodeReset(this.#options.id, code, message));
    this.#end("broken", { code, message });
  }

  /**
   * Ends an exchange that only listens: in order if its event stream has begun, as `draining` if the backend has not
   * answered yet. Any other exchange continues, and so does an answer that is no event stream.
   */
  endListening(): void {
    if (this.#ended || !this.#isListening) return;
    const reason = "the worker takes no more jobs";
    if (!this.#head) return this.breakOff({ code: "draining", message: reason });
    if (!this.#pump || !isEventStream(this.#head.headers)) return;
    this.#pump.finish(reason);
    this.#abort.abort();
  }

  /** Sends as much of the answer as credit and socket allow. */
  resume(): void {
    if (!this.#ended) this.#pump?.resume();
  }

  /** Whether this end, and not the backend, keeps the exchange waiting. */
  get isWaitingForUs(): boolean {
    if (this.#head) return this.#credit.left <= 0 || !this.#options.outlet.hasRoom();
    return this.#upload?.isStarved === true;
  }

  async #serve(
    { ask, mayFallSilent }: Extract<Opening, { readonly kind: "ask" }>,
    body: Uint8Array | ReadableStream<Uint8Array> | undefined,
  ): Promise<void> {
    const answer = await ask(body, this.#abort.signal);
    this.#progress();
    if (this.#ended) return;
    if (mayFallSilent) this.#silence?.stop();
    const head = headOf(answer);
    if (head.status < 200 || head.status > 599 || bodyRoom(head) < SLICE_BYTES) {
      return this.breakOff({
        code: "upstream_error",
        message: "the backend's answer has a head that no frame can carry",
      });
    }
    this.#head = head;
    const answerBody = await this.#bodyOf(answer);
    if (this.#ended) return;
    this.#respond(head, answerBody);
    // A first chunk that is there already travels with the head; one that is not must not hold the head back.
    if (!this.#headSent && answerBody instanceof ReadableStream) setImmediate(() => this.#sendHead());
  }

  /** Returns the body as it is to travel: whole if it is there or small, else as a stream. */
  #bodyOf({ headers, body }: Answer): Body | Promise<Body> {
    if (body === null) return EMPTY;
    const length = body instanceof Uint8Array ? undefined : smallLength(headers, this.#options.window);
    if (body instanceof Uint8Array || length === undefined) return body;
    const { clock } = this.#options;
    return gather(body, { length, elapsed: () => clock.elapsed(), onPiece: () => this.#progress() });
  }

  #respond(head: ResponseHead, body: Body): void {
    this.#head = head;
    this.#pump = new BodyPump(body, this.#credit, {
      hasRoom: () => this.#options.outlet.hasRoom(),
      send: (piece, end) => this.#send(piece, end),
      fail: (error) => {
        const { code, message } = this.#options.toFailure(error);
        // The backend had answered, so it was reachable, even if the error code says otherwise.
        this.breakOff({ code: code === "upstream_unreachable" ? "upstream_error" : code, message });
      },
    });
    this.#pump.resume();
  }

  #sendHead(): void {
    if (!this.#headSent && !this.#ended) this.#send(EMPTY, false);
  }

  #send(piece: Uint8Array, end: boolean): void {
    const { id, outlet } = this.#options;
    this.#progress();
    if (this.#headSent || !this.#head) outlet.send(encodeResponseData(id, piece, end));
    else {
      this.#headSent = true;
      outlet.send(encodeResponse(id, this.#head, piece, end));
    }
    if (!end) return;
    // The backend answered without reading the whole upload, so its connection cannot be used again.
    if (this.#upload && !this.#upload.isWhole) this.#giveUp("the answer is complete");
    this.#end("complete");
  }

  #progress(): void {
    this.lastProgressAt = this.#options.clock.elapsed();
  }

  #giveUp(reason: string): void {
    this.#pump?.stop(reason);
    this.#upload?.fail(reason);
    this.#abort.abort();
  }

  #end(kind: ExchangeOutcome["kind"], failure?: Failure): void {
    this.#ended = true;
    this.#silence?.stop();
    this.#options.onEnded({
      kind,
      status: this.#head?.status,
      code: failure?.code,
      message: failure?.message,
      elapsedMs: this.#options.clock.elapsed() - this.#startedAt,
    });
  }
}

/** How much later than the asking end this end gives a silent backend up. */
const BACKSTOP_MS = 10_000;

/**
 * Returns the longest silence of the backend. Within the asking end's own limit this end decides; otherwise it waits a
 * little longer than the asking end, which then cancels and can say whose limit it was.
 */
function silenceLimit(askedMs: number | undefined, ownMs: number): number {
  return askedMs === undefined || askedMs === 0 || ownMs < askedMs ? ownMs : askedMs + BACKSTOP_MS;
}

function isEventStream(headers: Answer["headers"]): boolean {
  return headers.some(([name, value]) => name.toLowerCase() === "content-type" && isEventStreamType(value));
}

/** Returns the declared length of a body that is to travel in one frame; undefined for one that is to be streamed. */
function smallLength(headers: Answer["headers"], window: number): number | undefined {
  let length: string | undefined;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower === "content-length") length = value;
    else if (lower === "content-type" && isEventStreamType(value)) return undefined;
  }
  if (length === undefined || !/^\d{1,6}$/.test(length)) return undefined;
  return Number(length) <= Math.min(SMALL_ANSWER_BYTES, window) ? Number(length) : undefined;
}

function headOf({ status, headers, metered, called }: Answer): ResponseHead {
  if (called) return { status, headers, called };
  return metered ? { status, headers, metered } : { status, headers };
}
