import { drainingFault, Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import { addStreamHeaders, Reply, type ReplySource } from "../../reply/reply.ts";
import type { Clock } from "../../system/deps.ts";
import { type SilenceLimits, SilenceWatch } from "../../system/silence.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../tunnel/exchange.ts";
import type { Session } from "../../tunnel/session.ts";
import type { ResponseHead } from "../../wire/frame.ts";
import type { LineState } from "../../wire/line-state.ts";
import { toClientHeaders } from "./headers.ts";
import type { Listener, Listeners } from "./listeners.ts";
import { isRpcFailure } from "./rpc-verdict.ts";

export interface CallOptions {
  readonly session: Session;
  readonly clock: Clock;
  readonly request: ExchangeRequest;
  readonly requestId: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** The owner of the calls that only listen; undefined for any other call. */
  readonly listeners: Listeners | undefined;
  /** Longest wait for the answer to begin, and longest silence within an answer that is not an event stream. */
  readonly silenceMs: number;
  /** Longest time for which the client may take nothing while the relay has to wait for it. */
  readonly stallMs: number;
  readonly keepaliveMs: number;
  /** Largest answer that is not an event stream. */
  readonly maxAnswerBytes: number;
  /** Called once when an answer begins, and never without one. */
  readonly onBegun: (head: ResponseHead) => void;
  /** Called once, when the call has ended for the client. */
  readonly onEnded: (report: CallReport) => void;
  /** Called once, when the relay has nothing more to do for the call. */
  readonly onSettled: () => void;
}

/** How a call ended, and its figures. */
export interface CallReport {
  readonly outcome: "completed" | "canceled" | "failed";
  /** Why it failed; undefined for any other outcome. */
  readonly fault: Fault | undefined;
  readonly status: number | undefined;
  readonly firstByteMs: number | undefined;
  readonly durationMs: number;
  readonly bytesOut: number;
  /** Whether the MCP server answered with an error, as far as its status or a small answer shows. */
  readonly isError: boolean;
}

/** An empty comment and a blank line, which no client takes for an event. */
const KEEP_ALIVE = new TextEncoder().encode(":\n\n");

/**
 * Sends one HTTP request to a relay and answers with what the MCP server behind it answers, status for status and byte for
 * byte. Rejects with a `Fault` when there is no answer, or with `ClientGone`.
 */
export function callRelay(options: CallOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    new Call(options, resolve, reject).start();
  });
}

/** A call's way through its relay: one exchange, and one reply to the client. */
class Call implements ExchangeSink, ReplySource, SilenceLimits, Listener {
  readonly #options: CallOptions;
  readonly #reply: Reply;
  readonly #startedAt: number;
  readonly #leave = (): void => this.cancel();
  #exchange: Exchange | undefined;
  #status: number | undefined;
  #fault: Fault | undefined;
  #firstByteMs: number | undefined;
  #bytesOut = 0;
  /** Whether this side ended the call in order. */
  #isConcluded = false;
  #silence: SilenceWatch | undefined;

  constructor(options: CallOptions, resolve: (response: Response) => void, reject: (reason: unknown) => void) {
    this.#options = options;
    this.#reply = new Reply(this, options, resolve, reject);
    this.#startedAt = options.clock.elapsed();
  }

  start(): void {
    const { session, request, signal, listeners } = this.#options;
    signal.addEventListener("abort", this.#leave);
    const exchange = session.open(request, this);
    this.#exchange = exchange;
    this.#watch(exchange);
    // A signal that is aborted already fires no event.
    if (signal.aborted) this.cancel();
    else listeners?.add(this);
  }

  #watch(exchange: Exchange): void {
    this.#silence = new SilenceWatch(this.#options.clock, exchange, this, (isStall) => {
      if (!isStall) this.#fault = new Fault("upstream_timeout");
      exchange.cancel(isStall ? "canceled" : "timeout");
    });
  }

  /** An event stream may be silent for as long as it likes. */
  get silenceMs(): number {
    return this.#reply.isEventStream ? Number.POSITIVE_INFINITY : this.#options.silenceMs;
  }

  get stallMs(): number {
    return this.#options.stallMs;
  }

  onHead(head: ResponseHead): void {
    this.#status = head.status;
    this.#firstByteMs = this.#options.clock.elapsed() - this.#startedAt;
    this.#options.onBegun(head);
    this.#reply.begin(head);
  }

  onData(bytes: Uint8Array): void {
    this.#bytesOut += bytes.length;
    if (this.#bytesOut > this.#options.maxAnswerBytes && !this.#reply.isEventStream) {
      this.#fault = new Fault("response_too_large");
      return this.#exchange?.cancel("canceled");
    }
    this.#reply.write(bytes);
  }

  onEnd(end: ExchangeEnd): void {
    this.#silence?.stop();
    this.#options.signal.removeEventListener("abort", this.#leave);
    this.#options.listeners?.remove(this);
    this.#fault ??= faultOf(end);
    this.#report(end);
    if (end.kind === "complete" || this.#isConcluded) this.#reply.complete();
    else this.#reply.cut(this.#fault ?? new ClientGone("the client left"));
  }

  onSettled(): void {
    this.#options.onSettled();
  }

  consumed(bytes: number): void {
    this.#exchange?.consumed(bytes);
  }

  cancel(): void {
    this.#exchange?.cancel("canceled");
  }

  /**
   * Ends a call that only listens: in order if its event stream has begun, with `draining` if nothing was answered yet. An
   * answer of any other form continues.
   */
  endListening(): void {
    if (this.#status === undefined) this.#fault = drainingFault();
    else if (this.#reply.isEventStream) this.#isConcluded = true;
    else return;
    this.cancel();
  }

  /** The MCP server's own Cache-Control is kept. */
  toHeaders(head: ResponseHead, isEventStream: boolean): Headers {
    const headers = toClientHeaders(head.headers, this.#options.requestId);
    if (isEventStream) addStreamHeaders(headers, headers.get("cache-control") ?? undefined);
    return headers;
  }

  /** May only stand between two events, because its blank line would end an unfinished event. */
  toComment(lineState: LineState): Uint8Array | undefined {
    return lineState === "boundary" ? KEEP_ALIVE : undefined;
  }

  /** Looks only at an answer that came whole and in one piece. */
  #isRpcFailure(): boolean {
    const body = this.#reply.onlyPiece;
    return body !== undefined && !this.#reply.isEventStream && isRpcFailure(body);
  }

  #report(end: ExchangeEnd): void {
    const outcome = end.kind === "complete" || this.#isConcluded ? "completed" : this.#fault ? "failed" : "canceled";
    this.#options.onEnded({
      outcome,
      fault: this.#fault,
      status: this.#status,
      firstByteMs: this.#firstByteMs,
      durationMs: this.#options.clock.elapsed() - this.#startedAt,
      bytesOut: this.#bytesOut,
      isError: (this.#status ?? 0) >= 400 || this.#isRpcFailure(),
    });
  }
}

/** Returns why a call failed; undefined if it completed, or if its client left. */
function faultOf(end: ExchangeEnd): Fault | undefined {
  switch (end.kind) {
    case "complete":
      return undefined;
    case "canceled":
      return end.cause instanceof Fault ? end.cause : undefined;
    case "lost":
      return new Fault("worker_lost", { message: "The relay was lost while it served this request." });
    case "refused":
      return new Fault("too_many_calls", { retryAfterS: 1 });
    case "unsupported":
      return new Fault("relay_unavailable", { message: "The relay does not support requests of this kind." });
    case "too_large":
      return new Fault("request_too_large");
    case "broken":
      return end.code === "timeout" ? new Fault("upstream_timeout") : brokenFault(toCode(end.code));
    default:
      return end satisfies never;
  }
}

/** Creates the fault with words that fit a relay: the usual ones are about model servers. */
function brokenFault(code: "upstream_unreachable" | "upstream_error" | "worker_lost"): Fault {
  if (code !== "upstream_unreachable") return new Fault(code);
  return new Fault(code, { message: "The relay cannot reach its MCP server. Its owner sees why in the relay's log." });
}

function toCode(code: string): "upstream_unreachable" | "upstream_error" | "worker_lost" {
  if (code === "upstream_unreachable") return code;
  return code === "draining" ? "worker_lost" : "upstream_error";
}
