import { DEFAULT_TENANT } from "../auth/caller.ts";
import { Fault } from "../errors.ts";
import { type KeyEntry, lastUseOf } from "../keys/key-entry.ts";
import { statusOf } from "./key-json.ts";
import type { ListQuery, Sort } from "./key-request.ts";

/** One page of a list of keys. */
export interface KeyList {
  readonly data: readonly KeyEntry[];
  readonly hasMore: boolean;
  /** The number of keys that the query asks for, on all pages. */
  readonly total: number;
}

/** Returns the page of the keys that a query asks for. `all` are in the order in which they were made. */
export function listKeys(all: readonly KeyEntry[], query: ListQuery, now: number): KeyList {
  const matching = all.filter((entry) => isAsked(entry, query, now));
  const sorted = inOrder(matching, query, now);
  const first = firstOf(sorted, all, query);
  const data = sorted.slice(first, first + query.limit);
  return { data, hasMore: first + data.length < sorted.length, total: sorted.length };
}

function isAsked(entry: KeyEntry, query: ListQuery, now: number): boolean {
  const { name, tenant, kind, status, words } = query;
  if (name !== undefined && entry.name !== name) return false;
  if (tenant !== undefined && (entry.tenant ?? DEFAULT_TENANT) !== tenant) return false;
  if (kind !== undefined && entry.kind !== kind) return false;
  if (status !== undefined && statusOf(entry, now) !== status) return false;
  return words.length === 0 || matches(entry, words);
}

function matches(
  { id, name, secret, tenant, models, workerId, createdBy }: KeyEntry,
  words: readonly string[],
): boolean {
  const parts = [id, name, secret.hint, tenant ?? DEFAULT_TENANT, ...(models ?? []), workerId ?? "", createdBy];
  const text = parts.join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

function firstOf(sorted: readonly KeyEntry[], all: readonly KeyEntry[], { after, offset }: ListQuery): number {
  if (after === undefined) return offset;
  const at = sorted.findIndex(({ id }) => id === after);
  if (at >= 0) return at + 1 + offset;
  const message = all.some(({ id }) => id === after)
    ? "The key in 'after' is not in this list. Send the last id of the previous page."
    : "No key has the id in 'after'. Send the last id of the previous page.";
  throw new Fault("invalid_request", { message, param: "after" });
}

/** Sorts entries. Those that lack what they are sorted by come last in either direction. The sort is stable. */
function inOrder(entries: readonly KeyEntry[], { sort, isDescending }: ListQuery, now: number): readonly KeyEntry[] {
  if (sort === "created") return isDescending ? entries.toReversed() : entries;
  const sign = isDescending ? -1 : 1;
  // The values are made once for each entry and not for each comparison, of which there are a hundred thousand.
  const keyed = entries.map((entry) => ({ entry, value: sortValue(entry, sort, now) }));
  keyed.sort(({ value: a }, { value: b }) => {
    if (a === b) return 0;
    if (a === undefined) return 1;
    if (b === undefined) return -1;
    return a < b ? -sign : sign;
  });
  return keyed.map(({ entry }) => entry);
}

function sortValue(entry: KeyEntry, sort: Exclude<Sort, "created">, now: number): string | number | undefined {
  switch (sort) {
    case "name":
      return naturally(entry.name);
    case "tenant":
      return naturally(entry.tenant ?? DEFAULT_TENANT);
    case "kind":
      return entry.kind;
    case "status":
      return statusOf(entry, now);
    case "last_used":
      return lastUseOf(entry);
    case "expires":
      return entry.expiresAt;
  }
}

/** Returns a text that sorts as people expect: without regard to case, and numbers by their size. */
function naturally(text: string): string {
  return text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, "0"));
}
