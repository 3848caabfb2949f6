import type { CancelTimer, Clock } from "../system/deps.ts";
import { type ReceiveCredit, SendCredit } from "../wire/credit.ts";
import { withDeclaredLength } from "../wire/declared-length.ts";
import type { ResetCode, ResetDetail } from "../wire/frame.ts";
import type { RequestHead, ResponseHead } from "../wire/heads.ts";
import { BodyPump } from "../wire/pump.ts";
import { ResponseProgress } from "../wire/response-progress.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink, Lane } from "./exchange.ts";

export interface ExchangeOptions {
  readonly lane: Lane;
  readonly clock: Clock;
  /** Body bytes that may be sent before the worker's first grant. */
  readonly sendWindow: number;
  /** The largest body that is sent whole, with its head, before any grant; `sendWindow` unless given. */
  readonly wholeBytes?: number;
  readonly receive: ReceiveCredit;
  /** The largest request body that the dialect carries. */
  readonly maxRequestBytes: number;
  readonly confirmTimeoutMs: number;
  /** Called once, when the exchange has settled and its id may be forgotten. */
  readonly onSettled: () => void;
}

const EMPTY = new Uint8Array(0);

/** The largest request that is sent in one frame, if the window allows it. With its head it is far below the frame limit. */
const WHOLE_REQUEST_BYTES = 128 * 1024;

/**
 * One request and its response over a session, as the server sees them: ordered bytes, credit in both directions, and
 * exactly one end. The job ends with `onEnd`, the worker's work on it with `onSettled`, and these two can be apart.
 */
export class ServerExchange implements Exchange {
  readonly #options: ExchangeOptions;
  readonly #sink: ExchangeSink;
  readonly #credit: SendCredit;
  readonly #head: RequestHead;
  /** Undefined when the whole request was sent at once, as nearly all are. */
  readonly #pump: BodyPump | undefined;
  #headSent = false;
  #sentBytes = 0;
  #answerHead: ResponseHead | undefined;
  /** Undefined unless a part of an answer has arrived that was not the last one. */
  #progress: ResponseProgress | undefined;
  #ended = false;
  #settled = false;
  #cancelConfirmTimer: CancelTimer | undefined;
  lastProgressAt: number;

  constructor(request: ExchangeRequest, sink: ExchangeSink, options: ExchangeOptions) {
    this.#options = options;
    this.#sink = sink;
    const { body, head } = request;
    this.lastProgressAt = options.clock.elapsed();
    this.#credit = new SendCredit(options.sendWindow);
    const hasRoom = options.lane.hasRoom();
    const wholeBytes = hasRoom ? Math.min(WHOLE_REQUEST_BYTES, options.wholeBytes ?? options.sendWindow) : 0;
    if (body instanceof Uint8Array && body.length <= wholeBytes) {
      this.#credit.spend(body.length);
      this.#head = head;
      this.#sendBody(body, true);
      return;
    }
    this.#head = body instanceof Uint8Array ? withDeclaredLength(head, body.length) : head;
    this.#pump = new BodyPump(body, this.#credit, {
      hasRoom: () => options.lane.hasRoom(),
      send: (bytes, end) => this.#sendBody(bytes, end),
      // The client's upload broke off or turned out to be invalid: there is no request to answer any more.
      fail: (error) => this.#giveUp("canceled", error),
    });
    // A head leaves at once even on a congested socket: heads must leave in the order of their ids, or the worker ends the
    // link. It does not wait for its body either: the worker may refuse the request, or answer early, or has to grant first.
    if (!hasRoom || options.sendWindow === 0 || !(body instanceof Uint8Array)) this.#sendBody(EMPTY, false);
  }

  /** Sends as much of the request as credit and socket allow. */
  resume(): void {
    if (!this.#ended) this.#pump?.resume();
  }

  get isWaitingForUs(): boolean {
    if (this.#options.receive.isSpent) return true;
    return this.#isSending && this.#credit.left > 0 && this.#options.lane.hasRoom();
  }

  get #isSending(): boolean {
    return this.#pump !== undefined && !this.#pump.hasEnded;
  }

  consumed(bytes: number): void {
    if (this.#ended) return;
    const grant = this.#options.receive.consume(bytes);
    if (grant === 0) return;
    this.lastProgressAt = this.#options.clock.elapsed();
    this.#options.lane.credit(grant);
  }

  cancel(code: "canceled" | "timeout"): void {
    this.#giveUp(code, undefined);
  }

  handleHead(head: ResponseHead, body: Uint8Array, end: boolean): void {
    if (this.#ended) return this.#afterEnd(end);
    if (this.#answerHead) return this.#violate("a second response head", end);
    this.#answerHead = head;
    this.lastProgressAt = this.#options.clock.elapsed();
    this.#sink.onHead(head);
    // The sink may have cancelled the exchange; #handleBody checks that.
    this.#handleBody(body, end);
  }

  handleData(body: Uint8Array, end: boolean): void {
    if (this.#ended) return this.#afterEnd(end);
    if (!this.#answerHead) return this.#violate("response data before the head", end);
    if (body.length > 0) this.lastProgressAt = this.#options.clock.elapsed();
    this.#handleBody(body, end);
  }

  handleCredit(bytes: number): void {
    // Credit is progress only if it lets the request go on: a worker must not stay alive by credit frames alone.
    if (bytes > 0 && this.#isSending) this.lastProgressAt = this.#options.clock.elapsed();
    this.#credit.grant(bytes);
    this.resume();
  }

  handleReset(code: ResetCode, message: string, detail?: ResetDetail): void {
    // A worker that has begun to answer had a slot: sending the request elsewhere would repeat its work.
    if (code === "busy" && this.#answerHead)
      this.#end({ kind: "broken", code: "protocol_error", message: "busy after the response had begun" });
    else this.#end(endOfReset(code, message, detail));
    this.#settle();
  }

  handleLost(reason: string): void {
    this.#end({ kind: "lost", reason });
    this.#settle();
  }

  #handleBody(body: Uint8Array, end: boolean): void {
    if (this.#ended) return this.#afterEnd(end);
    if (body.length > 0) {
      if (!this.#options.receive.receive(body.length)) {
        this.#breakOff("flow_control", "more body bytes than were granted");
        this.#end({ kind: "broken", code: "flow_control", message: "the worker sent more than it may" });
        return this.#afterEnd(end);
      }
      this.#sink.onData(body);
      // Counted only now: a sink that cancels has not taken these bytes.
      if (!end && !this.#ended) this.#follow(body);
    }
    if (!end || this.#ended) return this.#afterEnd(end);
    const requestUnsent = this.#isSending;
    this.#end({ kind: "complete" });
    // The backend answered without reading the whole upload: nobody takes the rest.
    if (requestUnsent) this.#options.lane.reset("canceled", "the answer is complete");
    this.#settle();
  }

  #follow(body: Uint8Array): void {
    this.#progress ??= new ResponseProgress(this.#answerHead?.headers ?? []);
    this.#progress.push(body);
  }

  /** Whether the answer is whole although its end has not come. */
  get #isWhole(): boolean {
    if (!this.#answerHead) return false;
    this.#progress ??= new ResponseProgress(this.#answerHead.headers);
    return this.#progress.isWhole;
  }

  #giveUp(code: "canceled" | "timeout", cause: unknown): void {
    if (this.#ended) return;
    this.#breakOff(code, code === "timeout" ? "the worker was silent for too long" : "the client gave up");
    this.#end({ kind: "canceled", cause });
  }

  #afterEnd(workerEnded: boolean): void {
    if (this.#ended && workerEnded) this.#settle();
  }

  #violate(what: string, workerEnded: boolean): void {
    this.#breakOff("protocol_error", what);
    this.#end({ kind: "broken", code: "protocol_error", message: what });
    this.#afterEnd(workerEnded);
  }

  #sendBody(bytes: Uint8Array, end: boolean): void {
    this.lastProgressAt = this.#options.clock.elapsed();
    const { maxRequestBytes } = this.#options;
    this.#sentBytes += bytes.length;
    if (this.#sentBytes > maxRequestBytes) {
      this.#breakOff("canceled", "the request is too large");
      return this.#end({ kind: "too_large", maxBytes: maxRequestBytes });
    }
    if (this.#headSent) return this.#options.lane.data(bytes, end);
    this.#headSent = true;
    this.#options.lane.request(this.#head, bytes, end);
  }

  /** Tells the worker to stop, and holds the slot until it confirms or the confirm timeout is over. */
  #breakOff(code: ResetCode, message: string): void {
    // A request that was never sent needs no confirmation.
    if (!this.#headSent || !this.#options.lane.reset(code, message)) return queueMicrotask(() => this.#settle());
    this.#cancelConfirmTimer = this.#options.clock.after(this.#options.confirmTimeoutMs, () => this.#settle());
  }

  #end(end: ExchangeEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pump?.stop(end.kind);
    this.#sink.onEnd(end.kind !== "complete" && this.#isWhole ? { kind: "complete" } : end);
  }

  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#cancelConfirmTimer?.();
    this.#options.onSettled();
    this.#sink.onSettled();
  }
}

function endOfReset(code: ResetCode, message: string, detail: ResetDetail | undefined): ExchangeEnd {
  const { free, worker, max_bytes: maxBytes } = detail ?? {};
  const named = worker ? { worker } : {};
  if (code === "busy") return free === undefined ? { kind: "refused", message } : { kind: "refused", message, free };
  if (code === "worker_lost") return { kind: "lost", reason: message, ...named };
  if (code === "too_large" && maxBytes !== undefined) return { kind: "too_large", maxBytes };
  return { kind: "broken", code, message, ...named };
}
