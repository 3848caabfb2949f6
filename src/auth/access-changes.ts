import type { AccessLists } from "./gates.ts";
import type { KeySource, KeySources } from "./keys.ts";

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
export function openedBy(before: AccessLists, after: AccessLists, made?: KeySources): OpenedSide | undefined {
  const opens = (keys: keyof AccessLists, roles: keyof AccessLists, source: KeySource | undefined): boolean =>
    // Keys that are made while the server runs keep their side shut, whatever the configuration lists.
    (source?.isEmpty ?? true) && isClosed(before[keys], before[roles]) && !isClosed(after[keys], after[roles]);
  if (opens("apiKeys", "apiRoles", made?.api)) return "clients";
  if (opens("clientKeys", "clientRoles", made?.client)) return "workers";
  if (opens("adminKeys", "adminRoles", made?.admin)) return "operators";
  return undefined;
}

function isClosed(keys: readonly string[], roles: readonly string[]): boolean {
  return keys.length > 0 || roles.length > 0;
}
