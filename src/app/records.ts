import type { AuditRecords } from "../audit/audit.ts";
import type { SignOutRecords } from "../auth/sign-outs.ts";
import type { SharedSecret } from "../auth/token-keys.ts";
import type { CallRecords } from "../calls/call-records.ts";
import type { OAuthKeep } from "../oauth/oauth-records.ts";
import type { RestrictionRecords } from "../plugin/restrictions.ts";
import type { OwnerRecords } from "../tunnel/owners.ts";
import type { FailedJobRecords } from "../usage/past-jobs.ts";
import type { UsageRecords } from "../usage/usage-records.ts";

/** Keeps what must survive a restart. */
export interface Records {
  /** Returns the owners of one plugin's worker ids. Called once for each plugin. */
  owners(pluginId: string): OwnerRecords;
  /** Returns one plugin's drained and blocked worker ids. Called once for each plugin. */
  restrictions(pluginId: string): RestrictionRecords;
  /** Returns the sign-ins that were ended early. Called once. Absent: they are forgotten at a restart. */
  signOuts?(): SignOutRecords;
  /** Returns what was used. Called once. Absent: usage is kept in memory, bounded, until the process ends. */
  readonly usage?: (() => UsageRecords) | undefined;
  /** Returns the requests that failed. Called once. Absent: they are forgotten at a restart. */
  readonly failedJobs?: (() => FailedJobRecords) | undefined;
  /** Returns what operators did. Called once. Absent: it is forgotten at a restart. */
  readonly audit?: (() => AuditRecords) | undefined;
  /** Returns the calls of MCP servers. Called once. Absent: they are kept in memory, bounded, until the process ends. */
  readonly calls?: (() => CallRecords) | undefined;
  /** Returns the records of the authorization server. Called once. Absent: they are forgotten at a restart. */
  readonly oauth?: (() => OAuthKeep) | undefined;
  /** The secret that seals sign-ins and try tokens. Absent: keys of operators seal them. */
  readonly secret?: SharedSecret;
  /** Whether something could not be written and would be lost at a restart. */
  areFailing(): boolean;
}
