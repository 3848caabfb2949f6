import type { JSONRPCResponse, RequestId } from "@modelcontextprotocol/server";
import type { CancelTimer, Clock } from "../../../system/deps.ts";
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

interface Undecided {
  readonly decide: (whole: WholeAnswer | undefined) => void;
  /** When an event stream begins, by `Clock.elapsed`. */
  readonly until: number;
}

/** Decides, for each call of a session, whether it is answered by one JSON value or by an event stream. */
export class AnswerForms {
  readonly #clock: Clock;
  /** The calls in the order in which they came, which is that of their times. */
  readonly #undecided = new Map<RequestId, Undecided>();
  /** One timer for all calls: most are answered long before it runs. */
  #stopTimer: CancelTimer | undefined;

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
    this.#undecided.set(id, { decide: decided.resolve, until: this.#clock.elapsed() + QUIET_MS });
    if (!this.#stopTimer) this.#look(QUIET_MS);
    return decided.promise;
  }

  /** Decides for event streams wherever it is open, since no answer will come any more. */
  close(): void {
    this.#stopTimer?.();
    for (const id of this.#undecided.keys()) this.begin(id);
  }

  /** Takes a whole answer. Returns false if the call's event stream has begun, to which the answer then belongs. */
  finish(whole: WholeAnswer): boolean {
    const { id } = whole.message;
    return id !== undefined && this.#decide(id, whole);
  }

  /** Decides for an event stream, unless the form has been decided. */
  begin(id: RequestId): void {
    this.#decide(id, undefined);
  }

  #decide(id: RequestId, whole: WholeAnswer | undefined): boolean {
    const undecided = this.#undecided.get(id);
    this.#undecided.delete(id);
    undecided?.decide(whole);
    return undecided !== undefined;
  }

  /** Looks after a while for calls that have waited long enough. */
  #look(ms: number): void {
    this.#stopTimer = this.#clock.after(ms, () => {
      this.#stopTimer = undefined;
      const now = this.#clock.elapsed();
      for (const [id, { until }] of this.#undecided) {
        if (until > now) return this.#look(until - now);
        this.begin(id);
      }
    });
  }
}
