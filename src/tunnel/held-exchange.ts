import type { Clock } from "../system/deps.ts";
import type { ResponseHead } from "../wire/heads.ts";
import type { Exchange, ExchangeEnd, ExchangeSink } from "./exchange.ts";
import { type AnswerSpool, Overflow } from "./overflow.ts";

/** What a dialect without flow control holds of an answer. */
export interface HoldLimits {
  /** Bytes that the client may be behind before the rest goes to disk. */
  readonly bytes: number;
  /** Bytes that may be on their way to the disk. An answer that comes faster than the disk takes it is cut. */
  readonly maxWaitingBytes: number;
  readonly createSpool: () => AnswerSpool;
}

/** The most bytes of one answer on disk. Answers of model servers are smaller, and clients that slow are gone. */
const MAX_SPOOLED_BYTES = 1024 * 1024 * 1024;

/**
 * An exchange whose worker cannot be told to wait. Bytes that come faster than the client reads go to disk, and from
 * there to the sink, which notices nothing: it is told of the end when it has all bytes, or when these cannot be kept.
 */
export class HeldExchange implements Exchange, ExchangeSink {
  readonly #sink: ExchangeSink;
  readonly #clock: Clock;
  readonly #bytes: number;
  readonly #overflow: Overflow;
  #inner: Exchange | undefined;
  /** Bytes that the sink has and has not reported as consumed. */
  #ahead = 0;
  #isTaking = false;
  /** The end of the inner exchange, while bytes before it wait. */
  #innerEnd: ExchangeEnd | undefined;
  #isInnerSettled = false;
  #hasEnded = false;
  #consumedAt: number;

  constructor(sink: ExchangeSink, clock: Clock, limits: HoldLimits) {
    this.#sink = sink;
    this.#clock = clock;
    this.#bytes = limits.bytes;
    this.#consumedAt = clock.elapsed();
    this.#overflow = new Overflow({
      createSpool: limits.createSpool,
      maxWaitingBytes: limits.maxWaitingBytes,
      maxBytes: MAX_SPOOLED_BYTES,
    });
  }

  /** Starts to hold. `inner` has this as its sink. Called once, before the sink is. */
  hold(inner: Exchange): void {
    this.#inner = inner;
  }

  get lastProgressAt(): number {
    return Math.max(this.#inner?.lastProgressAt ?? 0, this.#consumedAt);
  }

  get isWaitingForUs(): boolean {
    return this.#isHolding || this.#inner?.isWaitingForUs === true;
  }

  /** Whether bytes that came have not reached the sink. */
  get #isHolding(): boolean {
    return this.#overflow.bytes > 0 || this.#isTaking;
  }

  consumed(bytes: number): void {
    if (this.#hasEnded) return;
    this.#consumedAt = this.#clock.elapsed();
    this.#ahead -= bytes;
    this.#refill();
  }

  cancel(code: "canceled" | "timeout"): void {
    if (this.#hasEnded) return;
    // The sink has all that came, so the inner exchange judges whether it is whole.
    if (!this.#isHolding) return this.#inner?.cancel(code);
    this.#innerEnd = { kind: "canceled" };
    this.#inner?.cancel(code);
    this.#end(this.#innerEnd);
  }

  onHead(head: ResponseHead): void {
    this.#sink.onHead(head);
  }

  onData(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    if (!this.#isHolding && this.#ahead + bytes.length <= this.#bytes) return this.#pass(bytes);
    if (!this.#overflow.push(bytes)) this.#breakOff("more waits for the client than can be held");
    else this.#refill();
  }

  onEnd(end: ExchangeEnd): void {
    if (this.#innerEnd) return;
    this.#innerEnd = end;
    if (!this.#isHolding) this.#end(end);
  }

  onSettled(): void {
    this.#isInnerSettled = true;
    if (this.#hasEnded) this.#sink.onSettled();
  }

  #pass(bytes: Uint8Array): void {
    this.#ahead += bytes.length;
    this.#sink.onData(bytes);
  }

  #refill(): void {
    if (this.#isTaking || this.#hasEnded || this.#overflow.bytes === 0 || this.#ahead >= this.#bytes) return;
    this.#isTaking = true;
    this.#overflow.take().then(
      (bytes) => {
        this.#isTaking = false;
        if (this.#hasEnded) return;
        this.#pass(bytes);
        if (this.#overflow.bytes === 0 && this.#innerEnd) this.#end(this.#innerEnd);
        else this.#refill();
      },
      () => {
        this.#isTaking = false;
        this.#breakOff("what waited for the client could not be read back");
      },
    );
  }

  #breakOff(message: string): void {
    if (this.#hasEnded) return;
    this.#innerEnd = { kind: "broken", code: "flow_control", message };
    this.#inner?.cancel("canceled");
    this.#end(this.#innerEnd);
  }

  #end(end: ExchangeEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#overflow.close();
    this.#sink.onEnd(end);
    if (this.#isInnerSettled) this.#sink.onSettled();
  }
}
