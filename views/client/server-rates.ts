import type { ServerRow } from "../../src/state/cluster-state.ts";
import { History, perSecond } from "./history.ts";

/** How many seconds a rate covers, as in the tiles above the table. */
const SECONDS = 10;

/** The requests per second of each server. One second alone would show 0 for most of the time on a quiet server. */
export class ServerRates {
  readonly #histories = new Map<string, History>();

  /** Takes the newest rows, and forgets servers that are no longer listed. */
  take(rows: readonly ServerRow[]): void {
    for (const id of this.#histories.keys()) if (!rows.some((row) => row.id === id)) this.#histories.delete(id);
    for (const { id, sample } of rows) {
      const history = this.#histories.get(id) ?? new History(SECONDS);
      this.#histories.set(id, history);
      if (sample) history.add(sample);
    }
  }

  /** Averages over the last ten seconds, or over as many as are known. */
  requests(id: string): number {
    const samples = this.#histories.get(id)?.samples ?? [];
    return perSecond(samples, "requests", Math.max(1, samples.length));
  }
}
