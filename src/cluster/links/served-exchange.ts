import type { Exchange, ExchangeEnd, ExchangeSink } from "../../tunnel/exchange.ts";
import type { Admitted } from "../../tunnel/peer-handler.ts";
import { ReceiveCredit, SendCredit } from "../../wire/credit.ts";
import {
  bodyRoom,
  encodeReset,
  encodeResponse,
  MAX_FRAME_BYTES,
  type ResetCode,
  type ResetDetail,
} from "../../wire/frame.ts";
import type { RequestHead, ResponseHead } from "../../wire/heads.ts";
import { Inflow } from "../../wire/inflow.ts";
import type { Batch } from "./batch.ts";

export interface ServedExchangeOptions {
  readonly id: number;
  readonly admitted: Admitted;
  readonly batch: Batch;
  /** Body bytes of the request that this server holds at most. */
  readonly windowBytes: number;
  /** Body bytes of the answer that the peer takes before its first grant. */
  readonly peerWindowBytes: number;
  /** Called once, when nothing more is to be done for the exchange. */
  readonly onDone: (id: number) => void;
}

const EMPTY = new Uint8Array(0);

/**
 * An exchange that a peer has opened here, on its way to a worker of this server. Bytes pass through in both directions as
 * they come, and so does credit: the worker may send what the peer has taken, so at most one window is held here.
 */
export class ServedExchange implements ExchangeSink {
  readonly #options: ServedExchangeOptions;
  readonly #credit: SendCredit;
  /** Undefined if the whole body came with the head. */
  #inflow: Inflow | undefined;
  #receive: ReceiveCredit | undefined;
  #exchange: Exchange | undefined;
  #head: ResponseHead | undefined;
  /** The answer's first bytes while they wait, for one turn of the microtask queue, to travel with the head. */
  #first: Uint8Array | undefined;
  #isHeadSent = false;
  /** Bytes for which the peer has given no credit: of workers that take none themselves. Undefined for no such bytes. */
  #held: Uint8Array[] | undefined;
  /** Bytes that were passed on and not granted again. */
  #unconsumed = 0;
  #end: ExchangeEnd | undefined;
  /** The code with which the peer has given up; undefined unless it has. */
  #canceledWith: ResetCode | undefined;
  #isSettled = false;
  /** Whether the last frame was sent, or the link has ended. */
  #isClosed = false;

  constructor(options: ServedExchangeOptions) {
    this.#options = options;
    this.#credit = new SendCredit(options.peerWindowBytes);
  }

  /** Sends the request to the worker. With `end`, `body` is the whole body. Called once. */
  start(head: RequestHead, body: Uint8Array, end: boolean): void {
    const { admitted, batch, id, windowBytes } = this.#options;
    if (end) {
      this.#exchange = admitted.open({ head, body }, this);
      return;
    }
    const receive = new ReceiveCredit(windowBytes);
    const inflow = new Inflow((bytes) => {
      const grant = receive.consume(bytes);
      if (grant > 0) batch.credit(id, grant);
    });
    this.#receive = receive;
    this.#inflow = inflow;
    // The first credit says that the request has a slot.
    batch.credit(id, windowBytes);
    this.#exchange = admitted.open({ head, body: inflow }, this);
    if (body.length > 0) this.handleData(body, false);
  }

  /** Takes more of the request's body. */
  handleData(body: Uint8Array, end: boolean): void {
    // An answer may end before the whole body has come, which then has no reader.
    if (this.#end) return;
    if (!this.#inflow || !this.#receive || this.#inflow.hasEnded)
      this.#violate("protocol_error", "request data after the end of the request");
    else if (!this.#receive.receive(body.length)) this.#violate("flow_control", "more request bytes than were granted");
    else this.#inflow.push(body, end);
  }

  handleCredit(bytes: number): void {
    this.#credit.grant(bytes);
    if (this.#held) this.#sendHeld();
    // A peer cannot let the worker send more than it was sent itself.
    const consumed = Math.min(bytes, this.#unconsumed);
    this.#unconsumed -= consumed;
    if (consumed > 0 && !this.#end) this.#exchange?.consumed(consumed);
  }

  /** The peer has given up. */
  handleReset(code: ResetCode): void {
    this.#canceledWith = code;
    this.#held = undefined;
    if (this.#end) return this.#finish();
    this.#exchange?.cancel(code === "timeout" ? "timeout" : "canceled");
  }

  /** The link has ended: nobody takes the answer. */
  handleLost(): void {
    this.#isClosed = true;
    this.#held = undefined;
    if (!this.#end) this.#exchange?.cancel("canceled");
    this.#finish();
  }

  onHead(head: ResponseHead): void {
    this.#head = head;
    // The worker's first frame may have more than the head, and all of it then leaves as one frame.
    queueMicrotask(() => this.#sendHead());
  }

  onData(bytes: Uint8Array): void {
    if (!this.#isHeadSent) {
      if (!this.#first) {
        this.#first = bytes;
        return;
      }
      this.#sendHead();
    }
    this.#pass(bytes);
  }

  onEnd(end: ExchangeEnd): void {
    this.#end = end;
    this.#options.admitted.onEnd(end, this.#head, this.#canceledWith === "timeout");
    this.#finish();
  }

  onSettled(): void {
    this.#isSettled = true;
    this.#options.admitted.onSettled();
    this.#finish();
  }

  #pass(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#held) this.#held.push(bytes);
    else if (bytes.length <= this.#credit.left) this.#send(bytes);
    else {
      this.#held = [bytes];
      this.#sendHeld();
    }
  }

  #send(bytes: Uint8Array): void {
    this.#credit.spend(bytes.length);
    this.#unconsumed += bytes.length;
    this.#options.batch.responseData(this.#options.id, bytes, false);
  }

  /** Sends what the credit allows of the bytes that were held back, and the end after the last of them. */
  #sendHeld(): void {
    const held = this.#held ?? [];
    let at = 0;
    for (let bytes = held[at]; bytes && this.#credit.left > 0; bytes = held[at]) {
      const rest = bytes.subarray(this.#credit.left);
      this.#send(rest.length === 0 ? bytes : bytes.subarray(0, this.#credit.left));
      if (rest.length === 0) at += 1;
      else held[at] = rest;
    }
    this.#held = at < held.length ? held.slice(at) : undefined;
    if (!this.#held && this.#end) this.#finish();
  }

  #sendHead(): void {
    const { batch, id } = this.#options;
    if (this.#isHeadSent || !this.#head || this.#isClosed) return;
    this.#isHeadSent = true;
    const head = this.#named(this.#head);
    const first = this.#first ?? EMPTY;
    this.#first = undefined;
    const fits = first.length <= this.#credit.left;
    const isWhole = fits && this.#end?.kind === "complete";
    const body = fits ? first : EMPTY;
    const frame = encodeResponse(id, head, body, isWhole);
    if (frame.length > MAX_FRAME_BYTES) return this.#sendLargeHead(head, first);
    this.#credit.spend(body.length);
    this.#unconsumed += body.length;
    batch.frame(frame);
    if (isWhole) this.#isClosed = true;
    else if (!fits) this.#pass(first);
  }

  /**
   * Sends a head that does not fit into one frame with its first bytes, or not at all: the name of the worker makes it larger
   * than it came, and a frame beyond the limit would end the link with all that runs on it.
   */
  #sendLargeHead(head: ResponseHead, first: Uint8Array): void {
    const { batch, id, admitted } = this.#options;
    if (bodyRoom(head) >= 0) {
      batch.frame(encodeResponse(id, head, EMPTY, false));
      return this.#pass(first);
    }
    const { worker } = admitted;
    this.#reset("upstream_error", "the head of the response is too large", worker && { worker });
    this.#isClosed = true;
    this.#exchange?.cancel("canceled");
  }

  #named(head: ResponseHead): ResponseHead {
    const { worker } = this.#options.admitted;
    if (!worker) return head;
    const { status, headers } = head;
    // Nearly all heads have nothing else, and a spread costs more than the two fields.
    return head.refused || head.metered || head.called ? { ...head, worker } : { status, headers, worker };
  }

  /** Tells the peer of the end, if it may hear of it now, and forgets the exchange once nothing more happens to it. */
  #finish(): void {
    if (this.#end && !this.#isClosed) this.#sendEnd(this.#end);
    if (this.#isClosed && this.#isSettled) this.#options.onDone(this.#options.id);
  }

  #sendEnd(end: ExchangeEnd): void {
    const { id, batch } = this.#options;
    if (this.#canceledWith !== undefined) {
      // The peer holds the slot until this confirms that the worker has stopped.
      if (!this.#isSettled) return;
      this.#reset("canceled", "canceled");
    } else {
      this.#sendHead();
      if (this.#held || this.#isClosed) return;
      if (end.kind === "complete") batch.responseData(id, EMPTY, true);
      else this.#reset(...this.#resetFor(end));
    }
    this.#isClosed = true;
  }

  #resetFor(end: Exclude<ExchangeEnd, { kind: "complete" }>): [ResetCode, string, ResetDetail?] {
    const { worker } = this.#options.admitted;
    const named = worker ? { worker } : {};
    switch (end.kind) {
      case "broken":
        return [end.code, end.message, named];
      case "lost":
        return ["worker_lost", end.reason, named];
      case "refused":
        return ["busy", end.message, { ...named, free: 0 }];
      case "too_large":
        return ["too_large", "the worker cannot take the body", { ...named, max_bytes: end.maxBytes }];
      case "unsupported":
        return ["protocol_error", `the worker takes no exchanges of kind ${end.exchangeKind}`, named];
      case "canceled":
        return ["canceled", "the server of the worker gave it up", named];
      default:
        return end satisfies never;
    }
  }

  #reset(code: ResetCode, message: string, detail?: ResetDetail): void {
    this.#options.batch.frame(encodeReset(this.#options.id, code, message, detail));
  }

  /** The peer broke the protocol on this exchange: it alone ends. */
  #violate(code: ResetCode, message: string): void {
    this.#reset(code, message);
    this.#isClosed = true;
    this.#held = undefined;
    this.#exchange?.cancel("canceled");
  }
}
