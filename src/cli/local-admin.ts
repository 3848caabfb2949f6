import { type AnyElysia, Elysia } from "elysia";
import { KeyDesk } from "../admin/key-desk.ts";
import { keyRoutes } from "../admin/key-routes.ts";
import { spentLimits } from "../admin/spent-limits.ts";
import { TenantDesk } from "../admin/tenant-desk.ts";
import { tenantRoutes } from "../admin/tenant-routes.ts";
import { AllAudit } from "../audit/all-audit.ts";
import { AuditTrail } from "../audit/audit.ts";
import { auditRoutes } from "../audit/audit-routes.ts";
import { createCaller } from "../auth/caller.ts";
import { AllCalls } from "../calls/all-calls.ts";
import { CallReader } from "../calls/call-reader.ts";
import { callRoutes } from "../calls/call-routes.ts";
import { Fault } from "../errors.ts";
import { answerError } from "../http/finish.ts";
import { createVisit } from "../http/visit.ts";
import { KeyBook } from "../keys/key-book.ts";
import { KeyWriter } from "../keys/key-writer.ts";
import { TenantBook } from "../keys/tenant-book.ts";
import { Calendar } from "../limits/calendar.ts";
import { tenantId } from "../limits/holder.ts";
import { grantRoutes } from "../oauth/grant-routes.ts";
import { GrantUses } from "../oauth/grant-uses.ts";
import { createGrants } from "../oauth/grants.ts";
import { OAuthTable } from "../oauth/oauth-table.ts";
import { NO_VISIT } from "../plugin/route-context.ts";
import { createRecords } from "../store/records.ts";
import { openStore } from "../store/store.ts";
import type { Deps } from "../system/deps.ts";
import { AllUsage } from "../usage/all-usage.ts";
import { EndedUsage } from "../usage/ended-usage.ts";
import { usageRoutes } from "../usage/usage-routes.ts";

/** The routes for keys, usage, calls and audit, on a store that no server uses. */
export interface LocalAdmin {
  handle(request: Request): Promise<Response>;
  /** Whether something could not be written. */
  isFailing(): boolean;
  close(): void;
}

/**
 * Opens a store in place of its server, and answers the same requests in the same way. Anyone who may open the file may do
 * everything, so no key is asked for. Throws a `StoreInUse` if a server uses the store, and another `StoreFault` if it cannot be used.
 */
export function openLocalAdmin(directory: string, deps: Deps): LocalAdmin {
  const { clock, ids, log } = deps;
  const store = openStore(directory, deps, "full", "command");
  const records = createRecords(store);
  const book = new KeyBook({ records: records.keys(), clock, maxRequests: 0 });
  const audit = new AuditTrail(clock, records.audit());
  const usage = new EndedUsage({
    clock,
    flushMs: 1000,
    usage: records.usage(),
    failedJobs: records.failedJobs(),
  });
  // Only the server removes calls, by its own setting.
  const calls = new CallReader({ clock, records: records.calls(), unwritten: () => [] });
  const programs = new OAuthTable({ clock, keep: records.oauth() });
  const caller = createCaller("cli");
  const auth = {
    addressOf: () => undefined,
    operators: { read: () => ({ caller, mayAct: true, isCurrent: () => true }), act: () => caller },
  };
  const spent = { book, clock, calendar: new Calendar(), meter: usage.meter };
  const nowhere = { addressOf: () => undefined };
  const app: AnyElysia = new Elysia()
    .decorate("visit", NO_VISIT)
    .onRequest((context) => {
      context.visit = createVisit(context.request, ids.request(), nowhere);
    })
    .onError(({ error, code, visit }) =>
      answerError(() => Promise.reject(new Fault("unknown_url")), { error, code }, visit.requestId, log),
    )
    .use(
      keyRoutes({
        auth,
        clock,
        desk: new KeyDesk({
          book,
          writer: new KeyWriter({ book, clock, isFailing: records.areFailing }),
          isKept: () => true,
          audit,
        }),
        limitStates: ({ id, limits }) => spentLimits(id, limits, spent),
      }),
    )
    .use(
      tenantRoutes({
        auth,
        clock,
        desk: new TenantDesk({ tenants: new TenantBook({ records: records.tenants(), clock }), audit }),
        limitStates: ({ name, limits }) => spentLimits(tenantId(name), limits, spent),
      }),
    )
    .use(usageRoutes({ auth, clock, usage: new AllUsage({ clock, usage }), nameOfKey: (key) => book.get(key)?.name }))
    .use(
      grantRoutes({
        auth: { ...auth, ask: noKey },
        // No program calls without a server, so no use is noted.
        grants: createGrants(programs, new GrantUses(programs, clock, 0)),
        audit,
        nameOfKey: (key) => book.get(key)?.name,
      }),
    )
    .use(auditRoutes(new AllAudit(audit), auth))
    .use(callRoutes({ auth, calls: new AllCalls(calls) }));
  return {
    handle: (request) => app.handle(request),
    isFailing: () => store.writes.areFailing,
    close() {
      programs.close();
      usage.close();
      store.close();
    },
  };
}

/** The holder of a key asks a server that runs. */
function noKey(): never {
  throw new Fault("invalid_api_key");
}
