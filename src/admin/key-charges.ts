import { DEFAULT_TENANT } from "../auth/caller.ts";
import type { KeyBook } from "../keys/key-book.ts";
import type { KeyEntry } from "../keys/key-entry.ts";
import type { TenantBook } from "../keys/tenant-book.ts";
import { KeyCharges } from "../limits/charges.ts";
import type { KeysElsewhere } from "../limits/elsewhere.ts";
import type { Clock } from "../system/deps.ts";
import type { UsageMeter } from "../usage/usage-meter.ts";
import { keysOfTenants, usedById } from "./used-by-id.ts";

/**
 * Creates the charges for the keys of clients and for the tenants in two books. They follow each change at once. `elsewhere` is
 * what keys and tenants use at the other servers of a cluster.
 */
export function createKeyCharges(
  book: KeyBook,
  tenants: TenantBook | undefined,
  clock: Clock,
  meter: UsageMeter,
  elsewhere?: KeysElsewhere | undefined,
): KeyCharges {
  const keysOf = keysOfTenants(book);
  const charges = new KeyCharges({
    clock,
    elsewhere,
    usedSince: usedById(book, (keyId, at) => meter.usedSince(keyId, at), keysOf),
    usedBefore: usedById(book, (keyId, at) => meter.usedBefore(keyId, at), keysOf),
  });
  const take = ({ id, kind, limits, tenant = DEFAULT_TENANT, revokedAt }: KeyEntry): void => {
    if (kind === "client" && revokedAt === undefined) charges.set(id, limits, tenant);
    else charges.delete(id);
  };
  for (const entry of book.list()) if (entry.kind === "client") take(entry);
  book.onChange(({ kind, entry, before }) => {
    // A key of KEYS_FILE may have become one of another kind.
    if (entry.kind !== "client" && before?.kind !== "client") return;
    if (kind === "removed") charges.delete(entry.id);
    else take(entry);
  });
  // A key that has expired still had its limits, because it may be extended.
  book.onForget(({ id }) => charges.delete(id));
  for (const { name, limits } of tenants?.list() ?? []) charges.setTenant(name, limits);
  tenants?.onChange((name, limits) => charges.setTenant(name, limits));
  return charges;
}
