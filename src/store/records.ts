import type { AuditRecords } from "../audit/audit.ts";
import type { SignOutRecords } from "../auth/sign-outs.ts";
import type { SharedSecret } from "../auth/token-keys.ts";
import type { CallRecords } from "../calls/call-records.ts";
import type { KeyRecords } from "../keys/key-records.ts";
import type { TenantRecords } from "../keys/tenant-records.ts";
import type { OAuthKeep } from "../oauth/oauth-records.ts";
import type { RestrictionRecords } from "../plugin/restrictions.ts";
import type { OwnerRecords } from "../tunnel/owners.ts";
import type { FailedJobRecords } from "../usage/past-jobs.ts";
import type { UsageRecords } from "../usage/usage-records.ts";
import { createAuditRows } from "./audit-rows.ts";
import { createCallRows } from "./call-rows.ts";
import { createFailedJobRows } from "./failed-job-rows.ts";
import { createKeyRows } from "./key-rows.ts";
import { createOAuthRows } from "./oauth-rows.ts";
import { createOwnerRows } from "./owner-rows.ts";
import { createRestrictionRows } from "./restriction-rows.ts";
import { createSecretRow } from "./secret-row.ts";
import { createSignOutRows } from "./sign-out-rows.ts";
import type { Store } from "./store.ts";
import { createTenantRows } from "./tenant-rows.ts";
import { createUsageRows } from "./usage-rows.ts";

/** What the store keeps for the server over a restart. */
export interface StoredRecords {
  owners(pluginId: string): OwnerRecords;
  restrictions(pluginId: string): RestrictionRecords;
  signOuts(): SignOutRecords;
  readonly secret: SharedSecret;
  usage(): UsageRecords;
  failedJobs(): FailedJobRecords;
  audit(): AuditRecords;
  calls(): CallRecords;
  keys(): KeyRecords;
  tenants(): TenantRecords;
  /** The records of the authorization server. */
  oauth(): OAuthKeep;
  /** Whether something could not be written and would be lost at a restart. */
  areFailing(): boolean;
}

/** Creates the records that the server keeps in a store. */
export function createRecords(store: Store): StoredRecords {
  return {
    owners: (pluginId) => createOwnerRows(store, pluginId),
    restrictions: (pluginId) => createRestrictionRows(store, pluginId),
    signOuts: () => createSignOutRows(store),
    secret: createSecretRow(store),
    usage: () => createUsageRows(store),
    failedJobs: () => createFailedJobRows(store),
    audit: () => createAuditRows(store),
    calls: () => createCallRows(store),
    keys: () => createKeyRows(store),
    tenants: () => createTenantRows(store),
    oauth: () => createOAuthRows(store),
    areFailing: () => store.writes.areFailing,
  };
}
