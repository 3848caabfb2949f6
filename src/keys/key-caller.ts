import { DEFAULT_TENANT } from "../auth/caller.ts";
import type { KeyRecord } from "../auth/keys.ts";
import type { KeyEntry } from "./key-entry.ts";
import { compileGlobs } from "./model-globs.ts";

/** Returns the name of a key's caller in logs and counts: `key:7f3kq2m9x0ab`, or `file:ci` for a key of `KEYS_FILE`. */
export function callerName({ id, source }: Pick<KeyEntry, "id" | "source">): string {
  return source === "file" ? id : `key:${id}`;
}

/**
 * Returns the identity behind a key. It is made once for each revision of the entry, not for each request. The owner has
 * nothing of the secret in it, so a worker keeps its id when its key is rotated.
 */
export function toKeyRecord(entry: KeyEntry, maxRequests: number): KeyRecord {
  const { id, models, tenant, weight, userHeader, prefer } = entry;
  return {
    name: callerName(entry),
    tenant: tenant ?? DEFAULT_TENANT,
    class: entry.class ?? "normal",
    weight: weight ?? 1,
    limits: { maxRequests },
    may: models === undefined ? () => true : compileGlobs(models),
    owner: ownerOfKey(id),
    keyId: id,
    ...(userHeader !== undefined && { userHeader }),
    ...(prefer !== undefined && { prefer }),
  };
}

/** Returns the owner name of a key with this id. No name of a configured key or of a role has this form. */
export function ownerOfKey(id: string): string {
  return `made:${id}`;
}

/** Returns the id of the key that an owner name stands for; undefined for the owner of another kind. */
export function keyIdOf(owner: string): string | undefined {
  return owner.startsWith("made:") ? owner.slice("made:".length) : undefined;
}
