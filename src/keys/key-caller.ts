import { DEFAULT_TENANT } from "../auth/caller.ts";
import type { KeyRecord } from "../auth/keys.ts";
import { CREDENTIAL_HEADERS } from "../system/credential-headers.ts";
import type { WorkerTerms } from "../wire/worker-terms.ts";
import type { KeyEntry } from "./key-entry.ts";
import { toRelayTerms } from "./key-mcp.ts";
import { compileGlobs } from "./model-globs.ts";

/** Returns the name of a key's caller in logs and counts: `key:7f3kq2m9x0ab`, or `file:ci` for a key of `KEYS_FILE`. */
export function callerName({ id, source }: Pick<KeyEntry, "id" | "source">): string {
  return source === "file" ? id : `${CALLER_PREFIX}${id}`;
}

/** Returns the id of the created key whose caller has this name; undefined for any other caller. */
export function keyIdOfCaller(name: string): string | undefined {
  return name.startsWith(CALLER_PREFIX) ? name.slice(CALLER_PREFIX.length) : undefined;
}

/**
 * Returns the identity behind a key. It is made once for each revision of the entry, not for each request. The owner has
 * nothing of the secret in it, so a worker keeps its id when its key is rotated. A header with credentials names no end user, even
 * if an earlier version has accepted it.
 */
export function toKeyRecord(entry: KeyEntry, maxRequests: number): KeyRecord {
  const { id, models, tenant, weight, userHeader, prefer, mcp } = entry;
  return {
    name: callerName(entry),
    tenant: tenant ?? DEFAULT_TENANT,
    class: entry.class ?? "normal",
    weight: weight ?? 1,
    limits: { maxRequests },
    may: models === undefined ? () => true : compileGlobs(models),
    owner: ownerOfKey(id),
    keyId: id,
    ...(userHeader !== undefined && !CREDENTIAL_HEADERS.has(userHeader.toLowerCase()) && { userHeader }),
    ...(prefer !== undefined && { prefer }),
    ...(mcp !== undefined && { relays: toRelayTerms(mcp) }),
    ...(entry.kind === "worker" && { worker: termsOf(entry) }),
  };
}

function termsOf({ workerId, otherIds = [], models, tenants, maxSlots }: KeyEntry): WorkerTerms {
  return {
    ...(workerId !== undefined && { ids: [workerId, ...otherIds] }),
    ...(models !== undefined && { models, mayServe: compileGlobs(models) }),
    ...(tenants !== undefined && { tenants }),
    ...(maxSlots !== undefined && { maxSlots }),
  };
}

/** Returns the owner name of a key with this id. No name of a configured key or of a role has this form. */
export function ownerOfKey(id: string): string {
  return `${PREFIX}${id}`;
}

/**
 * Returns the owner name of one secret of an operator's key. A sign-in stands for it, so that it ends with the secret that it
 * was begun with: a thief of a secret keeps nothing when the key is rotated.
 */
export function ownerOfSecret(id: string, hash: string): string {
  return `${PREFIX}${id}#${hash.slice(0, DIGEST_CHARS)}`;
}

/** A made key, or one secret of it, that an owner name stands for. */
export interface NamedOwner {
  readonly id: string;
  /** The beginning of the secret's hash; undefined for a name that stands for the whole key. */
  readonly digest: string | undefined;
}

/** Reads an owner name; undefined for the owner of another kind. */
export function readOwner(owner: string): NamedOwner | undefined {
  if (!owner.startsWith(PREFIX)) return undefined;
  const [id = "", digest] = owner.slice(PREFIX.length).split("#");
  return { id, digest };
}

const CALLER_PREFIX = "key:";
const PREFIX = "made:";
/** 64 bits, of which only a few secrets of one key must differ. */
const DIGEST_CHARS = 16;
