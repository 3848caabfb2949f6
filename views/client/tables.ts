import { type Listed, type Listing, list, type Row, valuesOf } from "./listing.ts";
import type { PoolStore } from "./pool-store.ts";

/** Rows per page: more than a screen, and few enough to be updated every second. */
const PAGE_SIZE = 50;

/** A table over one list of a plugin's state: `x-data="table('llm', 'workers', 'name')"`. */
export function createTable(pool: () => PoolStore) {
  return (plugin: string, field: string, sortKey = "", facet = "") =>
    createListing(
      () => {
        const rows = pool().plugins[plugin]?.[field];
        return Array.isArray(rows) ? (rows as readonly Row[]) : NO_ROWS; // the server's lists hold objects
      },
      sortKey,
      facet,
    );
}

/** A table over rows that are in the browser. `all` MUST return the same list until the rows change. */
export function createListing(all: () => readonly Row[], sortKey = "", facet = "") {
  let known: { readonly rows: readonly Row[]; readonly listing: string; readonly listed: Listed } | undefined;
  let knownValues: { readonly rows: readonly Row[]; readonly values: readonly string[] } | undefined;
  return {
    filter: "",
    facetValue: "",
    sortKey,
    isDescending: false,
    page: 0,
    /** The rows of this page. They are computed once for each state, although they are read several times. */
    listed(): Listed {
      const { filter, facetValue, isDescending, page } = this;
      const listing: Listing = {
        filter,
        facets: { [facet]: facetValue },
        sortKey: this.sortKey,
        isDescending,
        page,
        pageSize: PAGE_SIZE,
      };
      const rows = all();
      const asked = JSON.stringify(listing);
      if (known?.rows !== rows || known.listing !== asked) {
        known = { rows, listing: asked, listed: list(rows, listing) };
      }
      return known.listed;
    },
    rows(): readonly Row[] {
      return this.listed().rows;
    },
    total(): number {
      return all().length;
    },
    matching(): number {
      return this.listed().total;
    },
    pages(): number {
      return this.listed().pages;
    },
    facetValues(): readonly string[] {
      const rows = all();
      if (knownValues?.rows !== rows) knownValues = { rows, values: valuesOf(rows, facet) };
      return knownValues.values;
    },
    sortBy(key: string): void {
      this.isDescending = this.sortKey === key ? !this.isDescending : false;
      this.sortKey = key;
    },
    /** For `aria-sort`. */
    order(key: string): "none" | "ascending" | "descending" {
      if (this.sortKey !== key) return "none";
      return this.isDescending ? "descending" : "ascending";
    },
    turn(pages: number): void {
      this.page = Math.max(0, Math.min(this.listed().page + pages, this.pages() - 1));
    },
    isFirstPage(): boolean {
      return this.listed().page === 0;
    },
    isLastPage(): boolean {
      return this.listed().page >= this.pages() - 1;
    },
    pageText(): string {
      const { page, pages } = this.listed();
      return `page ${page + 1} of ${pages}`;
    },
  };
}

export const NO_ROWS: readonly Row[] = Object.freeze([]);
