import type { JSONRPCResponse, RequestId } from "@modelcontextprotocol/server";
import type { Clock } from "../../../system/deps.ts";
import type { RawAnswer } from "./direct/plain-answer.ts";

/**
 * How long the head of an answer waits for the result. Long enough for most large results, which some clients take as JSON
 * but not as an event: the Python SDK refuses events above 1 MiB. Short, because a client can resume a call only once its
 * stream has begun.
 */
const QUIET_MS = 3000;

/** An answer to which nothing else belongs. */
export interface WholeAnswer {
  readonly message: JSONRPCResponse;
  readonly status: number;
  /** The answer in its own bytes, where they are known. */
  readonly raw?: RawAnswer | undefined;
}

/** Decides, for each call of a session, whether it is answered by one JSON value or by an event stream. */
export class AnswerForms {
  readonly #clock: Clock;
  readonly #undecided = new Map<RequestId, (whole: WholeAnswer | undefined) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Waits for the first message that belongs to the call. Resolves with the answer if that is the first, and with undefined
   * for an event stream: another message came first, or none did in time, or the id is that of another open call.
   */
  decide(id: RequestId): Promise<WholeAnswer | undefined> {
    if (this.#undecided.has(id)) return Promise.resolve(undefined);
    const decided = Promise.withResolvers<WholeAnswer | undefined>();
    const cancelTimer = this.#clock.after(QUIET_MS, () => this.begin(id));
    this.#undecided.set(id, (whole) => {
      cancelTimer();
      this.#undecided.delete(id);
      decided.resolve(whole);
    });
    return decided.promise;
  }

  /** Takes a whole answer. Returns false if the call's event stream has begun, to which the answer then belongs. */
  finish(whole: WholeAnswer): boolean {
    const { id } = whole.message;
    const settle = id === undefined ? undefined : this.#undecided.get(id);
    settle?.(whole);
    return settle !== undefined;
  }

  /** Decides for an event stream, unless the form has been decided. */
  begin(id: RequestId): void {
    this.#undecided.get(id)?.(undefined);
  }
}
