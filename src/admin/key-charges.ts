import type { KeyBook } from "../keys/key-book.ts";
import type { KeyEntry } from "../keys/key-entry.ts";
import { KeyCharges } from "../limits/charges.ts";
import type { KeysElsewhere } from "../limits/elsewhere.ts";
import type { Resource } from "../limits/limit-names.ts";
import type { Clock } from "../system/deps.ts";
import type { Spent } from "../usage/spent-since.ts";
import type { UsageMeter } from "../usage/usage-meter.ts";

/**
 * Creates the charges for the keys of clients in a book. They follow each change of a key at once. `elsewhere` is what keys use
 * at the other servers of a cluster.
 */
export function createKeyCharges(
  book: KeyBook,
  clock: Clock,
  meter: UsageMeter,
  elsewhere?: KeysElsewhere | undefined,
): KeyCharges {
  const charges = new KeyCharges({
    clock,
    elsewhere,
    usedSince: (keyId, resource, at) => amountOf(meter.usedSince(keyId, at), resource),
    usedBefore: (keyId, resource, at) => amountOf(meter.usedBefore(keyId, at), resource),
  });
  const take = ({ id, kind, limits, revokedAt }: KeyEntry): void => {
    if (kind !== "client") return;
    if (revokedAt === undefined) charges.set(id, limits);
    else charges.delete(id);
  };
  for (const entry of book.list()) take(entry);
  book.onChange(({ kind, entry }) => (kind === "removed" ? charges.delete(entry.id) : take(entry)));
  return charges;
}

function amountOf({ tokens, audioMs }: Spent, resource: Resource): number {
  return resource === "tokens" ? tokens : audioMs / 1000;
}
