import type { ResetCode } from "../wire/frame.ts";
import type { RequestHead, ResponseHead } from "../wire/heads.ts";
import type { ServingWorker } from "../wire/peer-heads.ts";
import type { RequestBody } from "../wire/pump.ts";

/** A request to be sent over a session: the head, and the body from its first byte. */
export interface ExchangeRequest {
  readonly head: RequestHead;
  readonly body: RequestBody;
}

/** How an exchange ended, as the job sees it. */
export type ExchangeEnd =
  | { readonly kind: "complete" }
  /**
   * The worker ended it with an error, or broke the protocol on it. `worker` is the worker of another server that did, if
   * that server has named it.
   */
  | { readonly kind: "broken"; readonly code: ResetCode; readonly message: string; readonly worker?: ServingWorker }
  /** The session ended while it ran. If it was the session of a worker of another server, `worker` says whose. */
  | { readonly kind: "lost"; readonly reason: string; readonly worker?: ServingWorker }
  /**
   * The worker had no slot free. Nobody has worked on the request, so it may be sent again, to this worker or another. If
   * another server has refused it, `free` is the number of free slots that it reports.
   */
  | { readonly kind: "refused"; readonly message: string; readonly free?: number }
  /** The worker takes no exchanges of this kind, or the dialect carries none. The worker has seen nothing of it. */
  | { readonly kind: "unsupported"; readonly exchangeKind: string }
  /**
   * The request's body has more than `maxBytes`, the most that the session can carry. The worker has not seen a complete
   * request.
   */
  | { readonly kind: "too_large"; readonly maxBytes: number }
  /** This side gave it up. `cause` is the error of the request's body, if its failure was the reason. */
  | { readonly kind: "canceled"; readonly cause?: unknown };

/**
 * The receiver of an answer. The session MUST call `onHead` at most once and before any `onData`, and MUST then call
 * `onEnd` exactly once and, after it, `onSettled` exactly once. It MUST NOT call `onHead` or `onData` after `onEnd`. A sink
 * may cancel its exchange, close the session or open other exchanges during any call.
 *
 * An answer is whole when all bytes of its Content-Length, or the last event of its event stream, have arrived
 * (`ResponseProgress`). An exchange with a whole answer MUST end as `complete`, whatever ends it: nobody misses anything.
 */
export interface ExchangeSink {
  onHead(head: ResponseHead): void;
  /** Takes bytes of the body, never none. They use up the worker's credit until `Exchange.consumed` gives it back. */
  onData(bytes: Uint8Array): void;
  onEnd(end: ExchangeEnd): void;
  /** The worker has nothing more to do for the exchange, or had its time to say so: its slot is free. */
  onSettled(): void;
}

/**
 * An exchange as its job holds it. When it ends, however it ends, a stream that is its request's body MUST be cancelled
 * unless it was read to its end. A stream that fails MUST end the exchange as `canceled`, with its error as the cause.
 */
export interface Exchange {
  /**
   * Reports that the consumer has taken so many body bytes; the worker may send as many more. MUST do nothing after the
   * end.
   */
  consumed(bytes: number): void;
  /**
   * Gives the exchange up and tells the worker. MUST call `onEnd` before it returns, and MUST call `onSettled` when the
   * worker has confirmed, at the latest when the confirm timeout is over. MUST do nothing after the end.
   */
  cancel(code: "canceled" | "timeout"): void;
  /** `Clock.elapsed` of the last progress: the opening, the answer's head, and every body byte in either direction. */
  readonly lastProgressAt: number;
  /** The worker is silent because of this side: it has no credit left, or waits for more of the request's body. */
  readonly isWaitingForUs: boolean;
}

/**
 * The way from one exchange to its worker; each dialect has its own. The caller may reuse the memory of a body as soon as a
 * call returns, unless it was the whole body.
 */
export interface Lane {
  /** False while the socket is congested. */
  hasRoom(): boolean;
  request(head: RequestHead, body: Uint8Array, end: boolean): void;
  data(body: Uint8Array, end: boolean): void;
  credit(bytes: number): void;
  /**
   * Tells the worker to stop. Returns false if the worker has seen nothing of the exchange and so has nothing to confirm.
   */
  reset(code: ResetCode, message: string): boolean;
}
