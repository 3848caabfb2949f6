import type { Exchange, ExchangeEnd, ExchangeSink } from "../../src/tunnel/exchange.ts";

/** An exchange with a peer, as the entry server sees it. */
export class LinkedExchange implements Exchange {
  readonly peer: string;
  readonly lastProgressAt = 0;
  readonly isWaitingForUs = false;
  readonly #sink: ExchangeSink;
  readonly #onCancel: () => void;
  #hasEnded = false;
  #hasSettled = false;

  constructor(peer: string, sink: ExchangeSink, onCancel: () => void) {
    this.peer = peer;
    this.#sink = sink;
    this.#onCancel = onCancel;
  }

  consumed(): void {}

  cancel(): void {
    if (this.#hasEnded) return;
    this.#onCancel();
    this.end({ kind: "canceled" }, true);
  }

  head(head: Parameters<ExchangeSink["onHead"]>[0]): void {
    if (!this.#hasEnded) this.#sink.onHead(head);
  }

  data(bytes: Uint8Array): void {
    if (!this.#hasEnded) this.#sink.onData(bytes);
  }

  end(end: ExchangeEnd, isSettled: boolean): void {
    if (!this.#hasEnded) {
      this.#hasEnded = true;
      this.#sink.onEnd(end);
    }
    if (isSettled) this.settle();
  }

  settle(): void {
    if (this.#hasSettled) return;
    this.#hasSettled = true;
    this.#sink.onSettled();
  }
}
