import { parseJson } from "../json/parse.ts";
import type { Exchange, ExchangeEnd, ExchangeSink } from "../tunnel/exchange.ts";
import type { ResponseHead } from "../wire/heads.ts";

/** The most lines and bytes of one answer. A longer one counts as failed. */
const MAX_LINES = 60_000;
const MAX_BYTES = 32 * 1024 * 1024;
/** The longest line. Each piece of a longer one would be searched from its beginning again. */
const MAX_LINE_CHARS = 1024 * 1024;

/** Receives an answer of JSON lines, and parses them as they arrive. */
export class LineReading implements ExchangeSink {
  readonly #onEnded: (lines: readonly unknown[] | undefined, end: ExchangeEnd) => void;
  readonly #decoder = new TextDecoder();
  readonly #lines: unknown[] = [];
  #exchange: Exchange | undefined;
  #rest = "";
  #bytes = 0;
  #isGood = false;

  /** `onEnded` is called once: with all lines, or with undefined if the answer is not complete. */
  constructor(onEnded: (lines: readonly unknown[] | undefined, end: ExchangeEnd) => void) {
    this.#onEnded = onEnded;
  }

  /** Sets the exchange that brings the answer. Called once, before any part of the answer. */
  begin(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  onHead({ status }: ResponseHead): void {
    this.#isGood = status === 200;
  }

  onData(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_BYTES || this.#lines.length > MAX_LINES) return this.#exchange?.cancel("canceled");
    const texts = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = texts.pop() ?? "";
    if (this.#rest.length > MAX_LINE_CHARS) return this.#exchange?.cancel("canceled");
    for (const text of texts) this.#lines.push(parseJson(text));
    this.#exchange?.consumed(bytes.length);
  }

  onEnd(end: ExchangeEnd): void {
    const isWhole = end.kind === "complete" && this.#isGood && this.#rest === "";
    this.#onEnded(isWhole ? this.#lines : undefined, end);
  }

  onSettled(): void {}
}
