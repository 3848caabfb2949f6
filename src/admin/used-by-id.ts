import { DEFAULT_TENANT } from "../auth/caller.ts";
import type { KeyBook } from "../keys/key-book.ts";
import { tenantOf } from "../limits/holder.ts";
import type { Resource } from "../limits/limit-names.ts";
import type { Spent } from "../usage/spent-since.ts";

/**
 * Returns a function that tells what a key has used since a time, or what all keys of a tenant have. The keys of a tenant are
 * those that name it now, also those that have ended. `ofKey` tells it of one key.
 */
export function usedById(
  book: Pick<KeyBook, "list">,
  ofKey: (keyId: string, at: number) => Spent,
): (id: string, resource: Resource, at: number) => number {
  return (id, resource, at) => {
    let sum = 0;
    for (const keyId of keysOf(id, book)) {
      const { tokens, audioMs } = ofKey(keyId, at);
      sum += resource === "tokens" ? tokens : audioMs / 1000;
    }
    return sum;
  };
}

function keysOf(id: string, book: Pick<KeyBook, "list">): readonly string[] {
  const tenant = tenantOf(id);
  if (tenant === undefined) return [id];
  const keys = book.list().filter((key) => key.kind === "client" && (key.tenant ?? DEFAULT_TENANT) === tenant);
  return keys.map((key) => key.id);
}
