import type { ResetCode } from "../wire/frame.ts";
import type { RequestHead, ResponseHead } from "../wire/heads.ts";
import type { PeerOrder, ServingWorker } from "../wire/peer-heads.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "./exchange.ts";

// What a server serves to the other servers of its cluster. A plugin declares it by registering a handler for a kind of
// exchange; the link brings each exchange to the handler of its kind.

/** An exchange that another server has opened here, before its body. */
export interface PeerRequest {
  /** The id of that server. */
  readonly peerId: string;
  /** The head for the worker, without the order. */
  readonly head: RequestHead;
  /** Absent for kinds that need none. */
  readonly order: PeerOrder | undefined;
}

/** The decision to serve an exchange. */
export interface Admitted {
  readonly ok: true;
  /** The worker that serves it, which is named to the other server; undefined if none does. */
  readonly worker?: ServingWorker | undefined;
  /** Starts the exchange. Called once. MUST NOT call the sink before it has returned, like `Session.open`. */
  open(request: ExchangeRequest, sink: ExchangeSink): Exchange;
  /**
   * Called once, at the end of the exchange, with the head of the answer if there was one. `wasSilent`: the other server gave
   * up because the worker was silent for too long.
   */
  onEnd(end: ExchangeEnd, head: ResponseHead | undefined, wasSilent: boolean): void;
  /** Called once, after `onEnd`, when the worker has nothing more to do for the exchange. */
  onSettled(): void;
}

/** The decision not to serve an exchange. */
export interface Refusal {
  readonly ok: false;
  readonly code: ResetCode;
  /** Text for operators. MUST NOT contain what a client wrote. */
  readonly message: string;
  /** With `busy`: how many slots of the workers that could serve it are free. */
  readonly free?: number;
}

/** Serves the exchanges of one kind that other servers open here. */
export interface PeerHandler {
  /**
   * Decides at once, from the head only. MUST serve the exchange with what this server itself has and never ask another
   * server, so that an exchange takes at most one hop.
   */
  admit(request: PeerRequest): Admitted | Refusal;
}
