import { Fault } from "../errors.ts";

/** The most queries that may wait for their turn. */
const MAX_WAITING = 20;
const RETRY_AFTER_S = 2;

/** Runs queries one after the other, so that many at once neither read the same rows at once nor fill the memory with answers. */
export class QueryQueue {
  readonly #what: string;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `what` names the queries in errors: `usage`. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Runs a query when those before it have ended. Rejects with `too_many_requests` if too many wait, and as the query does. */
  run<T>(query: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) {
      const message = `Too many ${this.#what} queries are in progress. Try again when some of them have ended.`;
      return Promise.reject(new Fault("too_many_requests", { message, retryAfterS: RETRY_AFTER_S }));
    }
    this.#waiting += 1;
    const ran = this.#last.then(query);
    this.#last = ran.then(
      () => this.#ended(),
      () => this.#ended(),
    );
    return ran;
  }

  #ended(): void {
    this.#waiting -= 1;
  }
}
