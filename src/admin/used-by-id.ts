import { DEFAULT_TENANT } from "../auth/caller.ts";
import type { KeyBook } from "../keys/key-book.ts";
import { tenantOf } from "../limits/holder.ts";
import type { Resource } from "../limits/limit-names.ts";
import type { Spent } from "../usage/spent-since.ts";

/**
 * Returns a function that lists the ids of a tenant's keys: those that name it now, also those that have ended. All keys are looked
 * at once after each change of one, because a start asks for every budget of every tenant.
 */
export function keysOfTenants(book: Pick<KeyBook, "list" | "onChange">): (tenant: string) => readonly string[] {
  let known: ReadonlyMap<string, readonly string[]> | undefined;
  book.onChange(() => {
    known = undefined;
  });
  return (tenant) => {
    known ??= keysByTenant(book);
    return known.get(tenant) ?? [];
  };
}

function keysByTenant(book: Pick<KeyBook, "list">): ReadonlyMap<string, readonly string[]> {
  const byTenant = new Map<string, string[]>();
  for (const { id, kind, tenant = DEFAULT_TENANT } of book.list()) {
    if (kind !== "client") continue;
    const ids = byTenant.get(tenant);
    if (ids) ids.push(id);
    else byTenant.set(tenant, [id]);
  }
  return byTenant;
}

/**
 * Returns a function that tells what a key has used since a time, or what all keys of a tenant have. `ofKey` tells it of one key,
 * and `keysOf` lists the keys of a tenant; all keys are looked at each time unless it is given.
 */
export function usedById(
  book: Pick<KeyBook, "list">,
  ofKey: (keyId: string, at: number) => Spent,
  keysOf: (tenant: string) => readonly string[] = (tenant) => keysByTenant(book).get(tenant) ?? [],
): (id: string, resource: Resource, at: number) => number {
  return (id, resource, at) => {
    const tenant = tenantOf(id);
    let sum = 0;
    for (const keyId of tenant === undefined ? [id] : keysOf(tenant)) {
      const { tokens, audioMs } = ofKey(keyId, at);
      sum += resource === "tokens" ? tokens : audioMs / 1000;
    }
    return sum;
  };
}
