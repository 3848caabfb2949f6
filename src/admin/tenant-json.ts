import type { TenantEntry } from "../keys/tenant-entry.ts";
import type { LimitState } from "../limits/limit-state.ts";
import { limitsJson, statesJson } from "./key-json.ts";
import type { TenantView } from "./key-view.ts";

/** Returns the limits of a tenant as operators see them. */
export function tenantJson(
  { name, limits, source, changedAt, changedBy }: TenantEntry,
  states: readonly LimitState[],
): TenantView {
  return {
    name,
    limits: limitsJson(limits),
    used: statesJson(states),
    source,
    changed_at: new Date(changedAt).toISOString(),
    changed_by: changedBy,
  };
}

/** Returns what all keys of a tenant share, as the holder of one of them sees it. */
export function sharedJson(entry: TenantEntry | undefined, states: readonly LimitState[]) {
  return { tenant_limits: limitsJson(entry?.limits ?? {}), tenant_used: statesJson(states) };
}
