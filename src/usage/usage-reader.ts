import { Fault } from "../errors.ts";
import { QueryQueue } from "../http/query-queue.ts";
import type { Clock } from "../system/deps.ts";
import { UsageGroups } from "./usage-groups.ts";
import type { UsageMeter } from "./usage-meter.ts";
import type { UsageQuery } from "./usage-query.ts";
import type { UsageRecords } from "./usage-records.ts";

/** The most rows of one answer. */
export const MAX_GROUPS = 50_000;

export interface UsageReaderOptions {
  readonly clock: Clock;
  readonly meter: Pick<UsageMeter, "unwritten">;
  readonly records: Pick<UsageRecords, "view">;
}

/**
 * Answers queries about usage, from what is written and what is not written yet. Queries run one after the other and read one
 * page of rows in each turn of the event loop, so that streams continue.
 */
export class UsageReader {
  readonly #options: UsageReaderOptions;
  readonly #queue = new QueryQueue("usage");

  constructor(options: UsageReaderOptions) {
    this.#options = options;
  }

  /**
   * Returns the groups that a query asks for. Rejects with `invalid_request` if there are too many of them, and with
   * `too_many_requests` if too many queries wait.
   */
  read(query: UsageQuery): Promise<UsageGroups> {
    return this.#queue.run(() => this.#read(query));
  }

  async #read(query: UsageQuery): Promise<UsageGroups> {
    const { meter, records, clock } = this.#options;
    const groups = new UsageGroups(query);
    const view = records.view(query);
    try {
      // The view and these cells are of the same moment, so nothing is counted twice and nothing is missing.
      for (const cell of meter.unwritten()) groups.add(cell);
      for (let rows = view.next(); rows.length > 0; rows = view.next()) {
        for (const row of rows) groups.add(row);
        if (groups.size > MAX_GROUPS) break;
        await new Promise<void>((resolve) => void clock.after(0, resolve));
      }
    } finally {
      view.close();
    }
    if (groups.size > MAX_GROUPS) throw tooManyRows();
    return groups;
  }
}

export function tooManyRows(): Fault {
  return new Fault("invalid_request", {
    message: `The answer would have more than ${MAX_GROUPS.toLocaleString("en")} rows. Choose a larger step, a shorter time or fewer groups.`,
    param: "step",
  });
}
