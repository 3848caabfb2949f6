import { drainingFault, Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import { addStreamHeaders, Reply, type ReplySource } from "../../reply/reply.ts";
import type { Clock } from "../../system/deps.ts";
import { type SilenceLimits, SilenceWatch } from "../../system/silence.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../tunnel/exchange.ts";
import type { Session } from "../../tunnel/session.ts";
import { declaredLength } from "../../wire/declared-length.ts";
import type { ResponseHead } from "../../wire/heads.ts";
import type { LineState } from "../../wire/line-state.ts";
import type { McpCalled } from "../../wire/mcp-call.ts";
import type { CallerCall } from "./caller-calls.ts";
import { toClientHeaders } from "./headers.ts";
import type { Listener, Listeners } from "./listeners.ts";
import { RpcVerdict } from "./rpc-verdict.ts";

export interface CallOptions {
  readonly session: Session;
  readonly clock: Clock;
  readonly request: ExchangeRequest;
  readonly requestId: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Adds the call to those of a caller whom this server has let in, until the returned function is called; else undefined. */
  readonly enlist?: ((call: EndableCall) => () => void) | undefined;
  /** Whether this server has let the caller in, so that nothing in the answer can be about the caller's credentials. */
  readonly isLetIn: boolean;
  /** The owner of the calls that only listen; undefined for any other call. */
  readonly listeners: Listeners | undefined;
  /** Longest wait for the answer to begin, and longest silence within an answer that is not an event stream. */
  readonly silenceMs: number;
  /** Longest time for which the client may take nothing while the relay has to wait for it. */
  readonly stallMs: number;
  readonly keepaliveMs: number;
  /** Largest answer that is not an event stream. */
  readonly maxAnswerBytes: number;
  /**
   * Called when the relay has refused the caller's token. Returns the fault to answer instead, if this caller has tried too
   * many.
   */
  readonly onTokenRefused: () => Fault | undefined;
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
  /** Whether the MCP server answered with an error, as far as its status or the end of its answer shows. */
  readonly isError: boolean;
  /** The code of its JSON-RPC error; undefined if there is none, or if it was not read. */
  readonly rpcCode: number | undefined;
  /** What the relay says was called. */
  readonly called: McpCalled | undefined;
}

/** A running call, as its caller's key and grant see it. */
export type EndableCall = Pick<CallerCall, "end" | "endListening">;

/** The server to which a call was sent no longer has the relay. No relay has seen the call. */
export class RelayMissed extends Error {
  override readonly name = "RelayMissed";
}

/** An empty comment and a blank line, which no client takes for an event. */
const KEEP_ALIVE = new TextEncoder().encode(":\n\n");

/**
 * Sends one HTTP request to a relay and answers with what the MCP server behind it answers, status for status and byte for
 * byte. Rejects with a `Fault` when there is no answer, with `ClientGone`, or with `RelayMissed`, after which `onEnded` is not
 * called.
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
  #called: McpCalled | undefined;
  #fault: Fault | undefined;
  #firstByteMs: number | undefined;
  #bytesOut = 0;
  /** Whether this side ended the call in order. */
  #isConcluded = false;
  /** The answer to a caller who has tried too many tokens, in place of the relay's own. */
  #refusal: Fault | undefined;
  #silence: SilenceWatch | undefined;
  #leaveCaller: (() => void) | undefined;
  /** Undefined for a call that only listens: its answer holds no response. */
  readonly #verdict: RpcVerdict | undefined;

  constructor(options: CallOptions, resolve: (response: Response) => void, reject: (reason: unknown) => void) {
    this.#options = options;
    this.#verdict = options.listeners === undefined ? new RpcVerdict() : undefined;
    this.#reply = new Reply(this, options, resolve, reject);
    this.#startedAt = options.clock.elapsed();
  }

  start(): void {
    const { session, request, signal, listeners } = this.#options;
    signal.addEventListener("abort", this.#leave);
    const exchange = session.open(request, this);
    this.#exchange = exchange;
    this.#leaveCaller = this.#options.enlist?.(this);
    this.#watch(exchange);
    // A signal that is aborted already fires no event.
    if (signal.aborted) this.cancel();
    else listeners?.add(this);
  }

  #watch(exchange: Exchange): void {
    this.#silence = new SilenceWatch(this.#options.clock, exchange, this, (isStall) => {
      if (!isStall) this.#fault = timeoutFault(this.#options.silenceMs);
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
    this.#called = head.called;
    this.#firstByteMs = this.#options.clock.elapsed() - this.#startedAt;
    this.#options.onBegun(head);
    this.#refusal = head.refused === "token" ? this.#options.onTokenRefused() : undefined;
    if (this.#refusal) return this.#exchange?.cancel("canceled");
    if (head.status === 401 && this.#options.isLetIn) {
      // Its client would sign in again, to no purpose.
      this.#fault = new Fault("upstream_error", { message: OWN_CREDENTIALS });
      return this.#exchange?.cancel("canceled");
    }
    this.#reply.begin(head);
    // With a known length the client gets an error instead of an answer that is cut off.
    if ((declaredLength(head.headers) ?? 0) > this.#options.maxAnswerBytes) this.#refuseLarge();
  }

  onData(bytes: Uint8Array): void {
    this.#bytesOut += bytes.length;
    this.#verdict?.add(bytes);
    if (this.#bytesOut > this.#options.maxAnswerBytes && !this.#reply.isEventStream) return this.#refuseLarge();
    this.#reply.write(bytes);
  }

  #refuseLarge(): void {
    if (this.#reply.isEventStream) return;
    const { maxAnswerBytes } = this.#options;
    const message = `The MCP server's answer is larger than the ${maxAnswerBytes} bytes of MCP_MAX_ANSWER_BYTES. Ask for less at once; an event stream has no limit.`;
    this.#fault = new Fault("response_too_large", { message });
    this.#exchange?.cancel("canceled");
  }

  onEnd(end: ExchangeEnd): void {
    this.#silence?.stop();
    this.#options.signal.removeEventListener("abort", this.#leave);
    this.#options.listeners?.remove(this);
    this.#leaveCaller?.();
    if (isMiss(end)) return this.#reply.cut(new RelayMissed());
    this.#fault ??= faultOf(end);
    this.#report(end);
    if (this.#refusal) this.#reply.cut(this.#refusal);
    else if (end.kind === "complete" || this.#isConcluded) this.#reply.complete();
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
    if (this.#options.listeners === undefined) return;
    if (this.#status === undefined) this.#fault = drainingFault();
    else if (this.#reply.isEventStream) this.#isConcluded = true;
    else return;
    this.cancel();
  }

  /** The MCP server's own Cache-Control is kept. */
  toHeaders(head: ResponseHead, isEventStream: boolean): Headers {
    const headers = toClientHeaders(head.headers, this.#options.requestId);
    // A relay must not say where callers sign in whom this server lets in.
    if (this.#options.isLetIn) headers.delete("www-authenticate");
    if (isEventStream) addStreamHeaders(headers, headers.get("cache-control") ?? undefined);
    return headers;
  }

  /** May only stand between two events, because its blank line would end an unfinished event. */
  toComment(lineState: LineState): Uint8Array | undefined {
    return lineState === "boundary" ? KEEP_ALIVE : undefined;
  }

  /** Ends the call because its caller's access has ended. */
  end(fault: Fault): void {
    this.#fault ??= fault;
    this.cancel();
  }

  #report(end: ExchangeEnd): void {
    // The relay has answered a call that it refused. What the client gets instead is no failure of it.
    const isAnswered = end.kind === "complete" || this.#isConcluded || this.#refusal !== undefined;
    const outcome = isAnswered ? "completed" : this.#fault ? "failed" : "canceled";
    const failure = this.#verdict?.failure(this.#reply.isEventStream);
    this.#options.onEnded({
      outcome,
      fault: this.#refusal ?? this.#fault,
      status: this.#refusal?.status ?? this.#status,
      firstByteMs: this.#firstByteMs,
      durationMs: this.#options.clock.elapsed() - this.#startedAt,
      bytesOut: this.#bytesOut,
      isError: (this.#status ?? 0) >= 400 || failure !== undefined,
      rpcCode: failure?.code,
      called: this.#called,
    });
  }
}

/** Whether another server has refused the call because it does not have the relay. It then reports 0 free slots. */
function isMiss(end: ExchangeEnd): boolean {
  return end.kind === "refused" && end.free === 0;
}

/** Returns why a call failed; undefined if it completed, or if its client left. */
export function faultOf(end: ExchangeEnd): Fault | undefined {
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
      if (end.code === "too_many_calls") return new Fault("too_many_calls", { retryAfterS: 1 });
      return end.code === "timeout" ? relayTimeoutFault() : brokenFault(end);
    default:
      return end satisfies never;
  }
}

const OWN_CREDENTIALS =
  "The MCP server has asked for credentials, and those of a caller are not for it. The relay's owner has to give it the server's own key, with --header or in the servers file.";

/** The usual words of these faults are about model servers and workers. */
function timeoutFault(silenceMs: number): Fault {
  const seconds = Math.round(silenceMs / 1000);
  const message = `Nothing came from the MCP server for ${seconds} s (MCP_REQUEST_TIMEOUT of this server), so the call was given up.`;
  return new Fault("upstream_timeout", { message });
}

function relayTimeoutFault(): Fault {
  const message =
    "The MCP server sent nothing for longer than its relay waits (REQUEST_TIMEOUT of the relay), so the call was given up.";
  return new Fault("upstream_timeout", { message });
}

function brokenFault({ code, message: said }: Extract<ExchangeEnd, { readonly kind: "broken" }>): Fault {
  if (code === "upstream_unreachable") {
    return new Fault(code, {
      message: "The relay cannot reach its MCP server. Its owner sees why in the relay's log.",
    });
  }
  if (code === "draining")
    return new Fault("worker_lost", { message: "The relay stopped before the MCP server answered." });
  const more = said === "" ? "" : ` The relay says: ${quote(said)}.`;
  return new Fault("upstream_error", { message: `The MCP server gave no complete answer.${more}` });
}

/** Quotes a relay's words for a client: shortened, and without characters that control a terminal. */
function quote(text: string): string {
  return `'${text.slice(0, 200).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "")}'`;
}
