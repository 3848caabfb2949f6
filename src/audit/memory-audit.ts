import type { AuditEntry, AuditQuery, AuditRecords } from "./audit.ts";

/** The most entries that are held in memory. */
const MAX_ENTRIES = 1000;

/** Creates records of the last 1,000 entries, which are lost at the end of the process. */
export function createMemoryAudit(): AuditRecords {
  /** The oldest first. */
  const entries: AuditEntry[] = [];
  return {
    lastId: () => 0,
    read: (query) =>
      entries
        .filter((entry) => isAsked(entry, query))
        .slice(-query.limit)
        .reverse(),
    add(entry) {
      entries.push(entry);
      if (entries.length > MAX_ENTRIES) entries.shift();
    },
    prune: () => {},
  };
}

function isAsked(entry: AuditEntry, { before, who, what, about }: AuditQuery): boolean {
  if (before !== undefined && entry.id >= before) return false;
  if (who !== undefined && entry.who !== who) return false;
  if (about !== undefined && entry.about !== about) return false;
  return what === undefined || entry.what === what;
}
