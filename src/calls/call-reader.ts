import { QueryQueue } from "../http/query-queue.ts";
import type { Clock } from "../system/deps.ts";
import { type CallFilter, type CallRecords, isMeant } from "./call-records.ts";
import type { PastCall } from "./past-call.ts";

export interface CallReaderOptions {
  readonly clock: Pick<Clock, "after">;
  readonly records: Pick<CallRecords, "look">;
  /** Returns the calls that are not in the records yet, the oldest first. */
  readonly unwritten: () => readonly PastCall[];
}

/**
 * Reads kept calls. Queries run one after the other and look at one window of calls in each turn of the event loop, so that streams
 * continue.
 */
export class CallReader {
  readonly #options: CallReaderOptions;
  readonly #queue = new QueryQueue("call");

  constructor(options: CallReaderOptions) {
    this.#options = options;
  }

  /** Returns calls with ids below `before`, the newest first. Rejects with `too_many_requests` if too many queries wait. */
  read(filter: CallFilter, before: number | undefined, limit: number): Promise<readonly PastCall[]> {
    return this.#queue.run(() => this.#read(filter, before ?? Number.MAX_SAFE_INTEGER, limit));
  }

  async #read(filter: CallFilter, before: number, limit: number): Promise<readonly PastCall[]> {
    const { records, clock, unwritten } = this.#options;
    const fresh = unwritten();
    const found = fresh
      .filter((call) => call.id < before && isMeant(call, filter))
      .slice(-limit)
      .reverse();
    // What is written while this reads has ids that were looked at already.
    let next = Math.min(before, fresh[0]?.id ?? before);
    while (found.length < limit) {
      const { calls, oldest } = records.look(filter, next, limit - found.length);
      found.push(...calls);
      if (oldest === undefined || oldest.endedAt < (filter.since ?? 0)) break;
      next = oldest.id;
      await new Promise<void>((resolve) => void clock.after(0, resolve));
    }
    return found;
  }
}
