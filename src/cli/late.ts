/** Longest wait for an answer, or for the next part of it. */
const LIMIT_MS = 30_000;

/** Ends a request whose answer, or the next part of it, does not come in time. */
export class Late {
  readonly #controller = new AbortController();
  #timer = this.#start();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  again(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #start() {
    return setTimeout(() => this.#controller.abort(new DOMException("no answer in time", "TimeoutError")), LIMIT_MS);
  }
}
