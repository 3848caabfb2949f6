import type { KeyBook } from "../keys/key-book.ts";
import type { KeyEntry } from "../keys/key-entry.ts";
import { KeyCharges } from "../limits/charges.ts";
import type { Clock } from "../system/deps.ts";
import type { UsageMeter } from "../usage/usage-meter.ts";

/** Creates the charges for the keys of clients in a book. They follow each change of a key at once. */
export function createKeyCharges(book: KeyBook, clock: Clock, meter: UsageMeter): KeyCharges {
  const charges = new KeyCharges({
    clock,
    usedSince: (keyId, resource, at) => {
      const { tokens, audioMs } = meter.usedSince(keyId, at);
      return resource === "tokens" ? tokens : audioMs / 1000;
    },
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
