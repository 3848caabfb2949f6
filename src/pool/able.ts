import { type Session, takesKind } from "../tunnel/session.ts";
import { type Excluded, isExcluded } from "./excluded.ts";

/** The part of a demand that has nothing to do with models. */
export interface Needs {
  /** The kind of exchange that the worker must have announced; undefined for HTTP, which needs no announcement. */
  readonly exchangeKind?: string | undefined;
  /** The tenant of the caller; undefined for a question that is not about one caller, for which any tenant will do. */
  readonly tenant?: string | undefined;
  /** The sessions and workers that must not serve it: they have failed the job. */
  readonly excluded: Excluded;
}

/**
 * Returns whether a session may get a job, whatever it serves: it serves the caller's tenant, is not excluded, and announced
 * the kind of exchange.
 */
export function isAble(session: Session, { tenant, excluded, exchangeKind }: Needs): boolean {
  if (!servesTenant(session, tenant)) return false;
  if (exchangeKind !== undefined && !takesKind(session.offer, exchangeKind)) return false;
  return !isExcluded(excluded, session);
}

/** Returns whether a session serves the callers of a tenant; those of some tenant, if that is undefined. */
export function servesTenant({ offer: { tenants } }: Session, tenant: string | undefined): boolean {
  return !tenants || tenant === undefined || tenants.has(tenant);
}

/** Returns whether two workers serve some caller both. Undefined tenants are all of them. */
export function shareTenant(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean {
  return !a || !b || !a.isDisjointFrom(b);
}

/** Returns whether a session serves only certain tenants, among them this one. */
export function isOwn({ offer: { tenants } }: Session, tenant: string | undefined): boolean {
  return tenants !== undefined && tenant !== undefined && tenants.has(tenant);
}
