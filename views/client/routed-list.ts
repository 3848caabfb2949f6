import { type Listed, type Listing, list, type Row, valuesOf } from "./listing.ts";
import type { Query } from "./place.ts";
import type { RouteStore } from "./route.ts";

/** What a list needs of the page's address. */
export type Address = Pick<RouteStore, "section" | "id" | "query" | "set">;

export interface RoutedListOptions {
  /** The section whose address holds the filter, the order and the page. */
  readonly section: string;
  /** MUST return the reactive address. */
  readonly address: () => Address;
  /** MUST return the same list until the rows change. */
  readonly all: () => readonly Row[];
  /** The fields that members of the query filter by their exact value: `{ model: "models" }`. */
  readonly facets?: Readonly<Record<string, string>>;
  /** The order without one in the address: a field, with `-` in front for the largest first. */
  readonly sort: string;
  /** Returns the text of a facet's value, where that is not the value itself. */
  readonly label?: (name: string, value: string) => string;
  readonly pageSize?: number;
}

/** Rows per page: more than a screen, and few enough to be updated every second. */
const PAGE_SIZE = 50;

/**
 * A table over rows that are in the browser, whose filter, order and page are in the page's address, so that they survive a
 * reload and can be sent to somebody. While another section is open, the list stays as it was.
 */
export function createRoutedList(options: RoutedListOptions) {
  const { section, address, all, facets = {}, pageSize = PAGE_SIZE } = options;
  let query: Query = {};
  let known: { readonly rows: readonly Row[]; readonly asked: string; readonly listed: Listed } | undefined;
  const knownValues = new Map<string, { readonly rows: readonly Row[]; readonly values: readonly string[] }>();

  const isOpen = (): boolean => address().section === section && address().id === "";
  const current = (): Query => {
    if (isOpen()) ({ query } = address());
    return query;
  };
  const set = (changes: Query): void => address().set({ page: "", ...changes });
  const order = () => {
    const sort = current()["sort"] || options.sort;
    return { key: sort.replace(/^-/, ""), isDescending: sort.startsWith("-") };
  };
  const listed = (): Listed => {
    // What nobody sees is not sorted every second.
    if (!isOpen() && known) return known.listed;
    const rows = all();
    const { q = "", page = "1" } = current();
    const { key, isDescending } = order();
    const listing: Listing = {
      filter: q,
      facets: Object.fromEntries(Object.entries(facets).map(([name, field]) => [field, current()[name] ?? ""])),
      sortKey: key,
      isDescending,
      page: Math.max(0, (Number.parseInt(page, 10) || 1) - 1),
      pageSize,
    };
    const asked = JSON.stringify(listing);
    if (known?.rows !== rows || known.asked !== asked) known = { rows, asked, listed: list(rows, listing) };
    return known.listed;
  };
  const turnTo = (page: number): void => {
    const last = listed().pages - 1;
    const wanted = Math.max(0, Math.min(page, last));
    address().set({ page: wanted === 0 ? "" : String(wanted + 1) });
  };

  return {
    get filter(): string {
      return current()["q"] ?? "";
    },
    set filter(words: string) {
      set({ q: words });
    },
    rows: (): readonly Row[] => listed().rows,
    total: (): number => all().length,
    matching: (): number => listed().total,
    pages: (): number => listed().pages,
    /** Whether a word or a value leaves rows out. */
    isNarrowed: (): boolean => ["q", ...Object.keys(facets)].some((name) => (current()[name] ?? "") !== ""),
    /** Shows all rows again. */
    widen: (): void => set(Object.fromEntries(["q", ...Object.keys(facets)].map((name) => [name, ""]))),
    /** The value that a member of the query asks for; empty for any. */
    chosen: (name: string): string => current()[name] ?? "",
    choose: (name: string, value: string): void => set({ [name]: value }),
    /** The values among which a member of the query chooses. */
    values(name: string): readonly string[] {
      const rows = all();
      let entry = knownValues.get(name);
      if (entry?.rows !== rows) {
        const found = valuesOf(rows, facets[name] ?? name);
        // The same list as before, unless a value came or went: its options stay as they are.
        const isSame = entry !== undefined && found.join("\n") === entry.values.join("\n");
        entry = { rows, values: isSame && entry ? entry.values : found };
        knownValues.set(name, entry);
      }
      const chosen = current()[name] ?? "";
      // What is chosen can be seen and taken back although no row has it any more.
      return chosen === "" || entry.values.includes(chosen) ? entry.values : [...entry.values, chosen];
    },
    labelOf: (name: string, value: string): string => options.label?.(name, value) ?? value,
    /** The query of the list as it is, for links back to it. */
    query: (): Query => ({ ...current() }),
    sortBy(key: string): void {
      const now = order();
      const next = now.key === key && !now.isDescending ? `-${key}` : key;
      set({ sort: next === options.sort ? "" : next });
    },
    /** For `aria-sort`. */
    order(key: string): "none" | "ascending" | "descending" {
      const now = order();
      if (now.key !== key) return "none";
      return now.isDescending ? "descending" : "ascending";
    },
    turn: (pages: number): void => turnTo(listed().page + pages),
    isFirstPage: (): boolean => listed().page === 0,
    isLastPage: (): boolean => listed().page >= listed().pages - 1,
    pageText: (): string => `page ${listed().page + 1} of ${listed().pages}`,
  };
}
