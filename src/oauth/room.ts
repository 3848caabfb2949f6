import { readGrant } from "./grant-record.ts";
import type { OAuthRow } from "./oauth-records.ts";
import { KINDS, type OAuthTable } from "./oauth-table.ts";

/** How many records of each kind there may be. A record has up to a few kilobytes. */
export const MOST = {
  client: 10_000,
  grant: 10_000,
  /** A client that refreshes its token each hour has one or two. */
  token: 40_000,
  /** Pages of consent that are open. */
  transaction: 10_000,
  used: 10_000,
  /** A team may share a key, and each of its members lets programs in. */
  grantsOfHolder: 1000,
  tokensOfGrant: 20,
} as const;

/**
 * Makes room for a new record of this name, at the expense of older ones of its kind. Anybody may register clients and open pages of
 * consent, so of clients only those go that nobody has let in. Returns whether there is room.
 */
export function makeRoom(table: OAuthTable, name: string): boolean {
  const kind = KINDS.find((each) => name.startsWith(`${each}:`));
  if (kind === undefined) return false;
  const isFull = table.count(kind) >= MOST[kind];
  switch (kind) {
    case "client":
      return !isFull || removeUnused(table);
    case "grant":
      removeOldest(table, "grant", parentOf(name), MOST.grantsOfHolder);
      return table.count("grant") < MOST.grant;
    case "token":
      removeOldest(table, "token", parentOf(name), MOST.tokensOfGrant);
      if (isFull) removeFirst(table.rows("token"), table);
      return true;
    case "transaction":
    case "used":
      if (isFull) removeFirst(table.rows(kind), table);
      return true;
  }
}

/** Removes a grant, and then its tokens. Resolves with whether all servers know. */
export async function removeGrant(table: OAuthTable, name: string): Promise<boolean> {
  const below = name.slice("grant:".length);
  // In a cluster, a grant and its tokens are one record, which is written once.
  const removed = await table.remove(name);
  const others = [...table.rows("token")].filter((row) => row.name.startsWith(`token:${below}:`));
  for (const row of others) void table.remove(row.name);
  void table.remove(`used:${below}`);
  return removed !== "away";
}

/** Removes the client that was registered first of those without a grant. Returns whether there was one. */
function removeUnused(table: OAuthTable): boolean {
  const used = new Set<string | undefined>();
  for (const row of table.rows("grant")) used.add(readGrant(row)?.clientId);
  for (const { name } of table.rows("client")) {
    if (used.has(name.slice("client:".length))) continue;
    void table.remove(name);
    return true;
  }
  return false;
}

/** Removes the oldest records below a prefix until another one fits. */
function removeOldest(table: OAuthTable, kind: "grant" | "token", prefix: string, most: number): void {
  const rows = [...table.rows(kind)].filter(({ name }) => name.startsWith(prefix));
  for (const { name } of rows.slice(0, Math.max(0, rows.length - most + 1))) {
    if (kind === "grant") void removeGrant(table, name);
    else void table.remove(name);
  }
}

function removeFirst(rows: Iterable<OAuthRow>, table: OAuthTable): void {
  for (const { name } of rows) return void table.remove(name);
}

/** Returns a record's name up to its last part, with the colon. */
function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf(":") + 1);
}
