import type { AlpineApi } from "./alpine.js";
import { createAskedList } from "./asked-list.ts";
import { toAuditRow } from "./asked-rows.ts";

/** What operators did: `x-data="audit"`. */
export function createAudit(alpine: AlpineApi) {
  return () => createAskedList(alpine, { path: () => "/api/audit?limit=200", toRow: toAuditRow });
}
