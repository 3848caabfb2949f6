import type { AccessLists } from "./gates.ts";

/** How many entries of one list a reload has added and removed. */
export interface Change {
  readonly added: number;
  readonly removed: number;
}

export type AccessChanges = Readonly<Record<keyof AccessLists, Change>>;

/** Counts what a reload changes. Keys themselves MUST NOT leave this module. */
export function countChanges(before: AccessLists, after: AccessLists): AccessChanges {
  const count = (list: keyof AccessLists): Change => ({
    added: after[list].filter((each) => !before[list].includes(each)).length,
    removed: before[list].filter((each) => !after[list].includes(each)).length,
  });
  return {
    apiKeys: count("apiKeys"),
    clientKeys: count("clientKeys"),
    adminKeys: count("adminKeys"),
    apiRoles: count("apiRoles"),
    clientRoles: count("clientRoles"),
    adminRoles: count("adminRoles"),
  };
}

/** The side of a server that would lose its last key and role. */
export type OpenedSide = "clients" | "workers" | "operators";

/**
 * Returns the side that would have no key and no role of its own left after a reload; undefined if each still has one. A
 * reload must not open a server: it stays reachable at the same address, and the last key of a file is easily deleted by
 * mistake. Without keys for operators, clients would take their place.
 */
export function openedBy(before: AccessLists, after: AccessLists): OpenedSide | undefined {
  if (isClosed(before.apiKeys, before.apiRoles) && !isClosed(after.apiKeys, after.apiRoles)) return "clients";
  if (isClosed(before.clientKeys, before.clientRoles) && !isClosed(after.clientKeys, after.clientRoles))
    return "workers";
  if (isClosed(before.adminKeys, before.adminRoles) && !isClosed(after.adminKeys, after.adminRoles)) return "operators";
  return undefined;
}

function isClosed(keys: readonly string[], roles: readonly string[]): boolean {
  return keys.length > 0 || roles.length > 0;
}
