import { allPages } from "./all-pages.ts";
import type { AlpineApi } from "./alpine.js";
import { assertOk, messageOf } from "./answers.ts";
import type { Row } from "./listing.ts";
import { createListing, NO_ROWS } from "./tables.ts";

export interface AskedListOptions {
  /** Returns the path to ask, by what the viewer has chosen in the list and written in its filter. */
  readonly path: (choice: string, filter: string) => string;
  /** Returns the path of the page after this row. Without it, only the first page is asked for. */
  readonly pathAfter?: (row: Row) => string;
  /** Makes a row of each entry of the answer's `data`; undefined for one that is left out. */
  readonly toRow: (entry: Row) => Row | undefined;
  /** What is chosen at the start. */
  readonly choice?: string;
}

interface Answer {
  readonly data: readonly Row[];
  readonly has_more?: boolean;
  readonly missing_servers?: readonly string[];
}

/** A table over a list that the page asks the server for: the members of a listing, and those to ask again. */
export function createAskedList(alpine: AlpineApi, { path, pathAfter, toRow, choice = "" }: AskedListOptions) {
  const data = alpine.reactive({ rows: NO_ROWS });
  let asked = 0;
  return {
    ...createListing(() => data.rows),
    choice,
    problem: "",
    /** Names the servers of a cluster that have not answered. */
    missing: "",
    async load(): Promise<void> {
      asked += 1;
      const question = asked;
      try {
        let missing: readonly string[] = [];
        const entries = await allPages(async (after) => {
          const next = after && pathAfter ? pathAfter(after) : path(this.choice, this.filter);
          const response = await assertOk(await fetch(next));
          const answer = (await response.json()) as Answer; // the server's own
          missing = answer.missing_servers ?? missing;
          return pathAfter ? answer : { data: answer.data };
        });
        if (question !== asked) return;
        const rows = entries.flatMap((entry) => toRow(entry) ?? []);
        data.rows = Object.freeze(rows.map((row) => Object.freeze(row)));
        this.missing = missing.length === 0 ? "" : `Server ${missing.join(", ")} has not answered.`;
        this.problem = "";
      } catch (error) {
        if (question === asked) this.problem = messageOf(error);
      }
    },
    /** Asks again after the viewer has chosen something else. */
    changed(): void {
      this.page = 0;
      void this.load();
    },
  };
}
