import type { Clock, Log } from "../system/deps.ts";
import type { Exchange, ExchangeEnd, ExchangeSink } from "../tunnel/exchange.ts";

/** The lines that are sent in one turn of the event loop, which takes about 1 ms. */
const LINES_PER_TURN = 500;
/** The most bytes that are sent and not consumed yet. */
const WINDOW_BYTES = 256 * 1024;

export interface LinesAnswerOptions {
  /** Resolves to the lines, without line breaks. If it rejects, the answer has the status 500. */
  readonly lines: Promise<Iterable<string>>;
  readonly sink: ExchangeSink;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once, when nothing more is sent. */
  readonly onEnded: () => void;
}

/** An answer whose lines are generated while they are sent, as fast as the other side consumes them. */
export class LinesAnswer implements Exchange {
  readonly #options: LinesAnswerOptions;
  readonly #encoder = new TextEncoder();
  readonly isWaitingForUs = false;
  #iterator: Iterator<string> | undefined;
  #unconsumed = 0;
  #isScheduled = false;
  #hasEnded = false;
  lastProgressAt: number;

  constructor(options: LinesAnswerOptions) {
    const { lines, sink, clock, log } = options;
    this.#options = options;
    this.lastProgressAt = clock.elapsed();
    lines.then(
      (all) => {
        if (this.#hasEnded) return;
        this.#iterator = all[Symbol.iterator]();
        sink.onHead({ status: 200, headers: [] });
        this.#send();
      },
      (error: unknown) => {
        log.error("cluster.reading_failed", { reason: error instanceof Error ? error.message : String(error) });
        if (this.#hasEnded) return;
        sink.onHead({ status: 500, headers: [] });
        this.#end({ kind: "complete" });
      },
    );
  }

  consumed(bytes: number): void {
    this.#unconsumed -= bytes;
    this.#sendSoon();
  }

  cancel(): void {
    this.#end({ kind: "canceled" });
  }

  #sendSoon(): void {
    if (this.#isScheduled || this.#hasEnded) return;
    this.#isScheduled = true;
    this.#options.clock.after(0, () => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  #send(): void {
    const { sink, clock } = this.#options;
    if (this.#hasEnded || !this.#iterator || this.#unconsumed >= WINDOW_BYTES) return;
    let text = "";
    let isLast = false;
    for (let count = 0; count < LINES_PER_TURN && !isLast; count += 1) {
      const next = this.#iterator.next();
      isLast = next.done === true;
      if (!next.done) text += `${next.value}\n`;
    }
    if (text !== "") {
      const bytes = this.#encoder.encode(text);
      this.#unconsumed += bytes.length;
      this.lastProgressAt = clock.elapsed();
      sink.onData(bytes);
    }
    if (isLast) this.#end({ kind: "complete" });
    else this.#sendSoon();
  }

  #end(end: ExchangeEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { sink, onEnded } = this.#options;
    onEnded();
    sink.onEnd(end);
    sink.onSettled();
  }
}
