import type { CancelTimer } from "../../src/system/deps.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../src/tunnel/exchange.ts";
import { type Offer, type Session, type SessionHost, takesKind } from "../../src/tunnel/session.ts";
import type { Close } from "../../src/wire/closes.ts";
import { ReceiveCredit } from "../../src/wire/credit.ts";
import type { ResetCode } from "../../src/wire/frame.ts";
import type { ResponseHead } from "../../src/wire/heads.ts";
import { HTTP_KIND } from "../../src/wire/names.ts";
import { ResponseProgress } from "../../src/wire/response-progress.ts";
import { FakeClock } from "./fake-clock.ts";

/** Body bytes that a scripted worker may send before its job has taken any. */
export const WINDOW_BYTES = 256 * 1024;
/** The largest request body that a scripted session carries. */
export const MAX_REQUEST_BYTES = 1024 * 1024;
/** How long a slot is held for a scripted worker that does not confirm a cancel. */
export const CONFIRM_TIMEOUT_MS = 5000;

/** An exchange whose worker is played by the test. Actions after its end have no effect, as on a real link. */
export class ScriptedExchange implements Exchange {
  readonly request: ExchangeRequest;
  /** The codes with which the job cancelled the exchange; at most one. */
  readonly cancelled: string[] = [];
  lastProgressAt: number;
  readonly #sink: ExchangeSink;
  readonly #clock: FakeClock;
  readonly #credit = new ReceiveCredit(WINDOW_BYTES);
  readonly #stopReading = new AbortController();
  /** The answer so far; undefined before its head. */
  #answer: ResponseProgress | undefined;
  #hasEnded = false;
  #hasSettled = false;
  #stopWaiting: CancelTimer = () => {};

  constructor(request: ExchangeRequest, sink: ExchangeSink, clock: FakeClock) {
    this.request = request;
    this.#sink = sink;
    this.#clock = clock;
    this.lastProgressAt = clock.elapsed();
    if (request.body instanceof ReadableStream) this.#read(request.body);
  }

  get isWaitingForUs(): boolean {
    return this.#credit.isSpent;
  }

  consumed(bytes: number): void {
    if (!this.#hasEnded) this.#credit.consume(bytes);
  }

  cancel(code: "canceled" | "timeout"): void {
    if (this.#hasEnded) return;
    this.cancelled.push(code);
    this.#awaitConfirmation();
    this.#end({ kind: "canceled" });
  }

  /** Begins the worker's answer. */
  head(head: ResponseHead): void {
    if (this.#hasEnded) return;
    if (this.#answer) return this.#violate("protocol_error");
    this.#answer = new ResponseProgress(head.headers);
    this.lastProgressAt = this.#clock.elapsed();
    this.#sink.onHead(head);
  }

  /** Sends a part of the worker's answer. */
  data(bytes: Uint8Array): void {
    if (this.#hasEnded || bytes.length === 0) return;
    if (!this.#answer) return this.#violate("protocol_error");
    if (!this.#credit.receive(bytes.length)) return this.#violate("flow_control");
    this.lastProgressAt = this.#clock.elapsed();
    this.#sink.onData(bytes);
    if (!this.#hasEnded) this.#answer.push(bytes);
  }

  /** Ends the worker's answer. */
  end(): void {
    if (!this.#hasEnded && !this.#answer) this.#violate("protocol_error");
    this.finish({ kind: "complete" });
  }

  /** Ends the exchange with an error of the worker. */
  breakOff(code: ResetCode, message = ""): void {
    this.finish(code === "busy" && !this.#answer ? { kind: "refused", message } : { kind: "broken", code, message });
  }

  /** Confirms, after a cancel, that the worker has stopped. */
  confirm(): void {
    this.finish({ kind: "broken", code: "canceled", message: "canceled" });
  }

  /** Ends the exchange if it still runs, and settles it. */
  finish(end: ExchangeEnd): void {
    this.#end(end);
    if (this.#hasSettled) return;
    this.#hasSettled = true;
    this.#stopWaiting();
    this.#sink.onSettled();
  }

  #violate(code: ResetCode): void {
    this.#awaitConfirmation();
    this.#end({ kind: "broken", code, message: "the script breaks the protocol" });
  }

  #awaitConfirmation(): void {
    this.#stopWaiting = this.#clock.after(CONFIRM_TIMEOUT_MS, () => this.confirm());
  }

  #end(end: ExchangeEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopReading.abort();
    this.#sink.onEnd(this.#answer?.isWhole ? { kind: "complete" } : end);
  }

  /** Reads the request's body as a worker would, and cancels the exchange if the body fails. */
  #read(body: ReadableStream<Uint8Array>): void {
    const nowhere = new WritableStream<Uint8Array>();
    body.pipeTo(nowhere, { signal: this.#stopReading.signal }).catch((cause: unknown) => {
      if (this.#hasEnded) return;
      this.#awaitConfirmation();
      this.#end({ kind: "canceled", cause });
    });
  }
}

/** A session without a link, whose worker is played by a test. It passes the same contract tests as the real one. */
export class ScriptedSession implements Session {
  readonly id: string;
  readonly worker: Session["worker"];
  readonly dialect = "native";
  readonly connectedAt = 0;
  readonly lastHeartbeatAt = 0;
  readonly telemetry = { cpuPercent: undefined, ramUsedPercent: undefined };
  /** Every exchange that reached the worker. */
  readonly exchanges: ScriptedExchange[] = [];
  readonly closes: Close[] = [];
  offer: Offer;
  /** The host, which an endpoint would notify of changed offers and of the session's end. */
  host: SessionHost | undefined;
  readonly #clock: FakeClock;
  #lastHeardAt: number;
  #hasEnded = false;

  constructor(workerId: string, models: readonly string[], maxConcurrency: number, clock = new FakeClock()) {
    this.id = `session of ${workerId}, ${crypto.randomUUID()}`;
    this.worker = { id: workerId, name: workerId, version: undefined, hostInfo: {} };
    this.offer = { models, maxConcurrency, embeddingBatchSize: undefined, status: "ready", reason: undefined };
    this.#clock = clock;
    this.#lastHeardAt = clock.elapsed();
  }

  get silentMs(): number {
    return this.#clock.elapsed() - this.#lastHeardAt;
  }

  open(request: ExchangeRequest, sink: ExchangeSink): ScriptedExchange {
    const exchange = new ScriptedExchange(request, sink, this.#clock);
    const { body, head } = request;
    const exchangeKind = head.kind ?? HTTP_KIND;
    const isTooLarge = body instanceof Uint8Array && body.length > MAX_REQUEST_BYTES;
    if (this.#hasEnded) queueMicrotask(() => exchange.finish({ kind: "lost", reason: "the session had ended" }));
    else if (!takesKind(this.offer, exchangeKind))
      queueMicrotask(() => exchange.finish({ kind: "unsupported", exchangeKind }));
    else if (isTooLarge) queueMicrotask(() => exchange.finish({ kind: "too_large", maxBytes: MAX_REQUEST_BYTES }));
    else this.exchanges.push(exchange);
    return exchange;
  }

  close(close: Close): void {
    if (this.#hasEnded) return;
    const { code, reason } = close;
    this.closes.push({ code, reason });
    this.vanish(reason);
  }

  /** Breaks the link. */
  vanish(reason = "gone"): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.host?.onClosed(this, reason);
    for (const exchange of [...this.exchanges]) exchange.finish({ kind: "lost", reason });
  }

  /** Whether the worker answers pings. */
  answersPings = true;

  ping(): void {
    if (this.answersPings) this.#clock.after(1, () => this.beat());
  }

  /** Gives a sign of life of the worker. */
  beat(): void {
    if (!this.#hasEnded) this.#lastHeardAt = this.#clock.elapsed();
  }

  /** Changes the worker's offer. */
  changeOffer(changes: Partial<Offer>): void {
    if (this.#hasEnded) return;
    this.beat();
    this.offer = { ...this.offer, ...changes };
    this.host?.onOfferChange(this);
  }
}
