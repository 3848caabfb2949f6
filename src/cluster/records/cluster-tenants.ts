import { readSharedTenant, sharedTenantText } from "../../keys/shared-tenant.ts";
import type { TenantEntry } from "../../keys/tenant-entry.ts";
import type { TenantRecords } from "../../keys/tenant-records.ts";
import type { Log } from "../../system/deps.ts";
import type { RecordTable } from "./record-table.ts";

const PREFIX = "tenant.";

export interface ClusterTenantsOptions {
  readonly table: RecordTable;
  /** What this server keeps by itself: its copy. Undefined without `DATA_DIR`. */
  readonly local: TenantRecords | undefined;
  readonly log: Log;
}

/**
 * Creates the records of tenants' limits that the servers of a cluster share, in the bucket that the table is attached to. As
 * with keys, a server with `DATA_DIR` has a copy, uses it until it has reached NATS, and brings to the bucket what that lacks. Of
 * two versions, the one that was set later counts. MUST be called before the table is attached for the first time.
 */
export function createClusterTenants({ table, local, log }: ClusterTenantsOptions): TenantRecords {
  table.mergeBy(PREFIX, (key, own, other) => laterOf(nameIn(key), own, other));
  for (const entry of local?.load() ?? []) table.seed(keyOf(entry.name), sharedTenantText(entry));
  return {
    load() {
      const entries = [...table.entries(PREFIX)].flatMap(([key, value]) => readSharedTenant(nameIn(key), value) ?? []);
      const copies = new Map(local?.load().map((entry) => [entry.name, sharedTenantText(entry)]));
      for (const entry of entries) {
        if (copies.get(entry.name) !== sharedTenantText(entry)) local?.put(entry);
        copies.delete(entry.name);
      }
      for (const name of copies.keys()) if (table.hasLoaded && !table.get(keyOf(name))) local?.remove(name);
      return entries;
    },
    put(entry) {
      local?.put(entry);
      table.set(keyOf(entry.name), sharedTenantText(entry));
    },
    remove(name) {
      local?.remove(name);
      table.set(keyOf(name), undefined);
    },
    watch(listener) {
      table.onChange(PREFIX, (key, value) => {
        const name = nameIn(key);
        const entry = value === undefined ? undefined : readSharedTenant(name, value);
        if (entry) {
          local?.put(entry);
          listener.saved(entry);
        } else if (value === undefined) {
          local?.remove(name);
          listener.removed(name);
        } else log.warn("tenants.record_refused", { tenant: key.slice(0, 64), reason: "not the limits of a tenant" });
      });
    },
  };
}

/** Returns the text of the entry that was set later. What cannot be read stays as the bucket has it. */
function laterOf(name: string, own: string, other: string): string {
  const [mine, theirs] = [readSharedTenant(name, own), readSharedTenant(name, other)];
  if (!mine || !theirs) return other;
  return isLater(mine, theirs) ? own : other;
}

function isLater(a: TenantEntry, b: TenantEntry): boolean {
  return a.changedAt === b.changedAt ? sharedTenantText(a) > sharedTenantText(b) : a.changedAt > b.changedAt;
}

/** Names contain characters that keys of records may not. */
function keyOf(name: string): string {
  return PREFIX + Buffer.from(name).toString("base64url");
}

/** Returns the name that a key of a record stands for; the empty text, which names no tenant, if it is none. */
function nameIn(key: string): string {
  const name = Buffer.from(key.slice(PREFIX.length), "base64url").toString();
  return keyOf(name) === key ? name : "";
}
