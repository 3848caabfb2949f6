// Sorts, filters and pages a table's rows. All functions are pure; their component is in tables.ts.

export type Row = Readonly<Record<string, unknown>>;

export interface Listing {
  /** Words, all of which must occur in a row's text. */
  readonly filter: string;
  /** The exact values of fields; an empty one stands for any value. */
  readonly facets: Readonly<Record<string, string>>;
  readonly sortKey: string;
  readonly isDescending: boolean;
  readonly page: number;
  readonly pageSize: number;
}

export interface Listed {
  readonly rows: readonly Row[];
  /** The number of rows that match. */
  readonly total: number;
  readonly page: number;
  readonly pages: number;
}

/** Returns one page of the matching rows, in order. A page past the last one is the last one. */
export function list(rows: readonly Row[], listing: Listing): Listed {
  const words = listing.filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const wanted = Object.entries(listing.facets).filter(([, value]) => value !== "");
  const matching = rows.filter(
    (row) => wanted.every(([field, value]) => holds(row[field], value)) && (words.length === 0 || matches(row, words)),
  );
  if (listing.sortKey !== "") {
    const { sortKey, isDescending } = listing;
    // The sort is stable, so rows of equal value keep the server's order.
    matching.sort((a, b) => compare(a[sortKey], b[sortKey], isDescending ? -1 : 1));
  }
  const pages = Math.max(1, Math.ceil(matching.length / listing.pageSize));
  const page = Math.min(listing.page, pages - 1);
  const first = page * listing.pageSize;
  return { rows: matching.slice(first, first + listing.pageSize), total: matching.length, page, pages };
}

/** Returns the distinct values of a field, sorted. The values of a list are its items. An empty text is no value. */
export function valuesOf(rows: readonly Row[], field: string): readonly string[] {
  const values = new Set<string>();
  for (const row of rows) {
    const value = row[field];
    for (const each of Array.isArray(value) ? value : [value])
      if (typeof each === "string" && each !== "") values.add(each);
  }
  return [...values].sort();
}

function holds(value: unknown, wanted: string): boolean {
  return Array.isArray(value) ? value.includes(wanted) : value === wanted;
}

function matches(row: Row, words: readonly string[]): boolean {
  const text = textOf(row).toLowerCase();
  return words.every((word) => text.includes(word));
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return "";
  return Object.values(value).map(textOf).join("\n");
}

/** Compares numbers by size and texts by letters. Missing values come last in both directions. */
function compare(a: unknown, b: unknown, sign: 1 | -1): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  if (Array.isArray(a) && Array.isArray(b)) return sign * (a.length - b.length);
  return sign * LETTERS.compare(String(a), String(b));
}

/** Kept, because `localeCompare` would make one for each of the ten thousand comparisons of a long list. */
const LETTERS = new Intl.Collator(undefined, { numeric: true });
