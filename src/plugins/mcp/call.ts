import { Fault } from "../../errors.ts";
import { ClientGone } from "../../http/body.ts";
import { CreditedStream } from "../../reply/credited-stream.ts";
import { type LineState, lineStateAfter } from "../../reply/sse.ts";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import { type SilenceLimits, watchSilence } from "../../system/silence.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../tunnel/exchange.ts";
import type { Session } from "../../tunnel/session.ts";
import type { ResponseHead } from "../../wire/frame.ts";
import { toClientHeaders } from "./headers.ts";
import { isRpcFailure } from "./rpc-verdict.ts";

export interface CallOptions {
  readonly session: Session;
  readonly clock: Clock;
  readonly request: ExchangeRequest;
  readonly requestId: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Longest wait for the answer to begin, and longest silence of one that is no event stream. */
  readonly silenceMs: number;
  /** Longest time the client may take nothing while the relay is held back for it. */
  readonly stallMs: number;
  readonly keepaliveMs: number;
  /** Largest answer that is no event stream. */
  readonly maxAnswerBytes: number;
  /** Called once, if an answer begins. */
  readonly onBegun: (head: ResponseHead) => void;
  /** Called once, when everything about the call is over. */
  readonly onEnded: (report: CallReport) => void;
  /** Called once, when the relay has nothing more to do for it. */
  readonly onSettled: () => void;
}

/** What is known of a call at its end. */
export interface CallReport {
  readonly outcome: "completed" | "canceled" | "failed";
  /** Why it failed. */
  readonly fault: Fault | undefined;
  readonly status: number | undefined;
  readonly firstByteMs: number | undefined;
  readonly durationMs: number;
  readonly bytesOut: number;
  /** The MCP server answered with an error, as far as a look at a small answer shows. */
  readonly isError: boolean;
}

/** An empty comment with the blank line that ends it: no client makes an event of that. */
const KEEP_ALIVE = new TextEncoder().encode(":\n\n");

/**
 * Sends one HTTP request to a relay and answers with what it answers, status for status and byte for byte. Rejects with a
 * `Fault` when there is no answer, or `ClientGone`.
 */
export function callRelay(options: CallOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    new Call(options, resolve, reject).start();
  });
}

class Call implements ExchangeSink, SilenceLimits {
  readonly #options: CallOptions;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: unknown) => void;
  readonly #startedAt: number;
  readonly #leave = (): void => this.#exchange?.cancel("canceled");
  #exchange: Exchange | undefined;
  #head: ResponseHead | undefined;
  #isEventStream = false;
  #stream: CreditedStream | undefined;
  /** Bytes that came before there was a stream to put them in. */
  #held: Uint8Array[] = [];
  #end: ExchangeEnd | undefined;
  #fault: Fault | undefined;
  #firstByteMs: number | undefined;
  #bytesOut = 0;
  #lineState: LineState = "boundary";
  #wroteAt = 0;
  #stopWatch: CancelTimer = () => {};
  #stopTicking: CancelTimer = () => {};

  constructor(options: CallOptions, resolve: (response: Response) => void, reject: (error: unknown) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#startedAt = options.clock.elapsed();
  }

  start(): void {
    const { session, request, signal } = this.#options;
    signal.addEventListener("abort", this.#leave);
    this.#exchange = session.open(request, this);
    // A request that its session cannot carry has ended by now.
    if (!this.#end) this.#watch(this.#exchange);
    // Gone already: there will be no event for it.
    if (signal.aborted) this.#leave();
  }

  onHead(head: ResponseHead): void {
    this.#head = head;
    this.#firstByteMs = this.#options.clock.elapsed() - this.#startedAt;
    this.#isEventStream = isEventStream(head);
    this.#options.onBegun(head);
    // An event stream is opened at once. Anything else a turn later: a small answer is whole by then and needs no stream.
    if (this.#isEventStream) this.#openEvents(head);
    else queueMicrotask(() => this.#answer(head));
  }

  onData(bytes: Uint8Array): void {
    this.#bytesOut += bytes.length;
    if (!this.#isEventStream && this.#bytesOut > this.#options.maxAnswerBytes) {
      this.#fault = new Fault("response_too_large");
      return this.#exchange?.cancel("canceled");
    }
    if (!this.#stream) this.#held.push(bytes);
    else this.#write(this.#stream, bytes);
  }

  onEnd(end: ExchangeEnd): void {
    this.#end = end;
    this.#stopWatch();
    this.#stopTicking();
    this.#options.signal.removeEventListener("abort", this.#leave);
    this.#fault ??= faultOf(end);
    this.#report(end);
    if (this.#stream) return this.#finish(this.#stream, end);
    // With a head there is an answer under way, which looks at the end by itself.
    if (this.#head && end.kind === "complete") return;
    this.#head = undefined;
    this.#reject(this.#fault ?? new ClientGone("the client left before there was an answer"));
  }

  onSettled(): void {
    this.#options.onSettled();
  }

  #openEvents(head: ResponseHead): void {
    const headers = toClientHeaders(head.headers, this.#options.requestId);
    // Proxies on the way must neither hold events back nor change them.
    if (!headers.has("cache-control")) headers.set("cache-control", "no-cache, no-transform");
    headers.set("x-accel-buffering", "no");
    this.#resolve(new Response(this.#open(), { status: head.status, headers }));
    // Bun keeps the head back until the first byte, and a stream may have nothing to say for hours.
    if (this.#stream) this.#keepAlive(this.#stream);
    this.#tick();
  }

  #answer(head: ResponseHead): void {
    // A failure between the head and this turn was told as an error of ours.
    if (this.#head === undefined) return;
    const headers = toClientHeaders(head.headers, this.#options.requestId);
    if (this.#end?.kind === "complete") {
      // Never a view on shared memory, which is all that the wider type allows beside this one.
      const body = (this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held)) as Uint8Array<ArrayBuffer>;
      const isBodyless = head.status === 204 || head.status === 205 || head.status === 304;
      return this.#resolve(new Response(isBodyless ? null : body, { status: head.status, headers }));
    }
    this.#resolve(new Response(this.#open(), { status: head.status, headers }));
  }

  #open(): ReadableStream<Uint8Array> {
    const opened = new CreditedStream({
      onTaken: (bytes) => this.#exchange?.consumed(bytes),
      onCancel: this.#leave,
    });
    this.#stream = opened;
    for (const bytes of this.#held.splice(0)) this.#write(opened, bytes);
    return opened.stream;
  }

  #write(stream: CreditedStream, bytes: Uint8Array): void {
    stream.write(bytes);
    if (!this.#isEventStream) return;
    this.#lineState = lineStateAfter(bytes, this.#lineState);
    this.#wroteAt = this.#options.clock.elapsed();
  }

  #keepAlive(stream: CreditedStream): void {
    stream.writeOwn(KEEP_ALIVE);
    this.#wroteAt = this.#options.clock.elapsed();
  }

  /** What is cut must not look whole: only a complete answer ends in order. */
  #finish(stream: CreditedStream, end: ExchangeEnd): void {
    if (end.kind === "complete") stream.close();
    else stream.error(this.#fault ?? new ClientGone("the client left"));
  }

  #tick(): void {
    const { clock, keepaliveMs } = this.#options;
    const leftMs = this.#wroteAt + keepaliveMs - clock.elapsed();
    this.#stopTicking = clock.after(Math.max(1, leftMs), () => {
      const stream = this.#stream;
      const isQuiet = clock.elapsed() - this.#wroteAt >= keepaliveMs;
      // Between two events only, and not to a client that does not read.
      if (stream && isQuiet && this.#lineState === "boundary" && !stream.isCongested) this.#keepAlive(stream);
      else if (isQuiet) this.#wroteAt = clock.elapsed();
      this.#tick();
    });
  }

  /** An event stream may be silent for as long as it likes. */
  get silenceMs(): number {
    return this.#isEventStream ? Number.POSITIVE_INFINITY : this.#options.silenceMs;
  }

  get stallMs(): number {
    return this.#options.stallMs;
  }

  #watch(exchange: Exchange): void {
    this.#stopWatch = watchSilence(this.#options.clock, exchange, this, (isStall) => {
      if (this.#end) return;
      if (!isStall) this.#fault = new Fault("upstream_timeout");
      exchange.cancel(isStall ? "canceled" : "timeout");
    });
  }

  /** Looked for only in what came whole and in one piece. */
  #isRpcFailure(): boolean {
    const [body] = this.#held;
    return !this.#isEventStream && body !== undefined && this.#held.length === 1 && isRpcFailure(body);
  }

  #report(end: ExchangeEnd): void {
    const outcome = end.kind === "complete" ? "completed" : this.#fault ? "failed" : "canceled";
    this.#options.onEnded({
      outcome,
      fault: this.#fault,
      status: this.#head?.status,
      firstByteMs: this.#firstByteMs,
      durationMs: this.#options.clock.elapsed() - this.#startedAt,
      bytesOut: this.#bytesOut,
      isError: (this.#head?.status ?? 0) >= 400 || this.#isRpcFailure(),
    });
  }
}

/** Undefined for what is nobody's failure. */
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
    case "too_large":
      return new Fault("request_too_large");
    case "broken":
      return end.code === "timeout" ? new Fault("upstream_timeout") : brokenFault(toCode(end.code));
    default:
      return end satisfies never;
  }
}

/** The usual words are about model servers. */
function brokenFault(code: "upstream_unreachable" | "upstream_error" | "worker_lost"): Fault {
  if (code !== "upstream_unreachable") return new Fault(code);
  return new Fault(code, { message: "The relay cannot reach its MCP server. Its owner sees why in the relay's log." });
}

function toCode(code: string): "upstream_unreachable" | "upstream_error" | "worker_lost" {
  if (code === "upstream_unreachable") return code;
  return code === "draining" ? "worker_lost" : "upstream_error";
}

function isEventStream(head: ResponseHead): boolean {
  const type = head.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1];
  return type?.toLowerCase().startsWith("text/event-stream") === true;
}
