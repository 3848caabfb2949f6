import type { KeyBook } from "../keys/key-book.ts";
import type { KeyEntry } from "../keys/key-entry.ts";
import type { TenantBook } from "../keys/tenant-book.ts";
import { KeyCharges } from "../limits/charges.ts";
import type { KeysElsewhere } from "../limits/elsewhere.ts";
import type { Clock } from "../system/deps.ts";
import type { UsageMeter } from "../usage/usage-meter.ts";
import { usedById } from "./used-by-id.ts";

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
  const charges = new KeyCharges({
    clock,
    elsewhere,
    usedSince: usedById(book, (keyId, at) => meter.usedSince(keyId, at)),
    usedBefore: usedById(book, (keyId, at) => meter.usedBefore(keyId, at)),
  });
  const take = ({ id, kind, limits, revokedAt }: KeyEntry): void => {
    if (kind !== "client") return;
    if (revokedAt === undefined) charges.set(id, limits);
    else charges.delete(id);
  };
  for (const entry of book.list()) take(entry);
  book.onChange(({ kind, entry }) => (kind === "removed" ? charges.delete(entry.id) : take(entry)));
  for (const { name, limits } of tenants?.list() ?? []) charges.setTenant(name, limits);
  tenants?.onChange((name, limits) => charges.setTenant(name, limits));
  return charges;
}
