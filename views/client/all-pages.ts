import type { Row } from "./listing.ts";

/** One page of a list that the server returns in pages. */
export interface Page {
  readonly data: readonly Row[];
  readonly has_more?: boolean;
}

/** Asks for the pages of a list one after another, and returns all rows. `ask` gets the last row of the page before. */
export async function allPages(ask: (after: Row | undefined) => Promise<Page>): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const { data, has_more: hasMore } = await ask(rows.at(-1));
    rows.push(...data);
    if (hasMore !== true || data.length === 0) return rows;
  }
}
