import type { Config } from "../config.ts";
import { bearerIn } from "../wire/bearer.ts";
import type { WorkerTerms } from "../wire/worker-terms.ts";
import { type Caller, createCaller } from "./caller.ts";
import { ownerName } from "./owner-name.ts";

/** The identity behind a key: the caller for a client, and the owner for a worker. */
export interface KeyRecord extends Caller {
  /** Identifies the owner of a worker id, on every server and after every restart. See `ownerName`. */
  readonly owner: string;
  /** What a worker's key allows. Absent for a key of the configuration, which allows everything. */
  readonly worker?: WorkerTerms | undefined;
}

/** Keys of one kind, found by their hashes. A key itself is never kept. */
export interface KeySource {
  /**
   * Whether no key is configured, so that a gate without roles lets everybody in. Read when the gates are built. A source
   * whose keys come and go MUST be false, because otherwise removing the last key would open the gate.
   */
  readonly isEmpty: boolean;
  /**
   * Whether it is not known yet whether there are keys. The source is not empty then, so that its gate stays shut. Absent if
   * it is always known.
   */
  readonly isUnread?: boolean;
  /**
   * Returns the record of the key with this SHA-256 hash, in lower-case hex. A look-up in a map is as safe as comparing
   * every key in constant time, because its duration depends on the hash, and nobody can choose a guess whose hash is
   * closer to that of a key.
   */
  find(hash: string): KeyRecord | undefined;
  /** Whether any key of this source stands for this owner. A worker's id is free for others once no source says so. */
  hasOwner(owner: string): boolean;
  /**
   * Returns an owner name that stands for the secret with this hash alone, so that it ends with it: see `Holder`. Undefined for a
   * hash that `find` does not know. Absent if no secret of this source can grant access.
   */
  secretOwner?(hash: string): string | undefined;
  /**
   * Returns the hash of the secret for which such an owner name stands, valid or not; undefined if no secret of this source does.
   * Given if and only if `secretOwner` is.
   */
  hashOf?(owner: string): string | undefined;
  /** Notes that a key was used to get in. Absent if the source keeps no times. */
  used?(record: KeyRecord): void;
  /**
   * Returns why a key that `find` does not return is refused: it was valid once, is for something else, or was mistyped.
   * Undefined for a key that nobody has made. Absent if the source knows only its valid keys.
   */
  explain?(key: string, hash: string): KeyRefusal | undefined;
}

/** Why a key is refused that is known, or that was mistyped. */
export interface KeyRefusal {
  readonly code: "key_expired" | "key_revoked" | "key_rotated" | "invalid_api_key" | "key_not_confirmed";
  readonly message: string;
  /** For the log: `key_expired`, `mistyped`. */
  readonly reason: string;
  /** The caller name of the key; undefined for a text that is no key. */
  readonly caller: string | undefined;
  /** Whether the text counts as a wrong key. A key that was once valid, or is valid elsewhere, does not. */
  readonly isGuess: boolean;
}

/** The keys of a server, by the access that they give. */
export interface KeySources {
  /** Keys for the API and for transfers. */
  readonly api: KeySource;
  /** Keys for workers and for transfers. */
  readonly client: KeySource;
  /** Keys of operators, for the dashboard, the State API and its actions. */
  readonly admin: KeySource;
}

/** Creates the sources of the keys that the configuration lists. */
export function configuredKeys({
  apiKeys,
  clientKeys,
  adminKeys,
  maxRequestsPerKey,
  clusterName,
}: Pick<Config, "apiKeys" | "clientKeys" | "adminKeys" | "maxRequestsPerKey" | "clusterName">): KeySources {
  const listed = (kind: string, keys: readonly string[]): KeySource =>
    listedKeys(kind, keys, maxRequestsPerKey, clusterName);
  return {
    admin: listed("admin-key", adminKeys),
    api: listed("api-key", apiKeys),
    client: listed("client-key", clientKeys),
  };
}

/**
 * Combines the keys that the configuration lists with those that are made while the server runs. A key that is in both, such as
 * one of `API_KEY` that `KEYS_FILE` refers to, is the made one: listing it lifts none of its limits, and does not let it in
 * after it has ended.
 */
export function combineKeys(configured: KeySources, made: KeySources): KeySources {
  return {
    api: combined(configured.api, made.api),
    client: combined(configured.client, made.client),
    admin: combined(configured.admin, made.admin),
  };
}

function combined(listed: KeySource, made: KeySource): KeySource {
  const hasEnded = (hash: string): boolean => ENDS.has(made.explain?.("", hash)?.code);
  return {
    get isEmpty() {
      return listed.isEmpty && made.isEmpty;
    },
    get isUnread() {
      return listed.isEmpty && (made.isUnread ?? false);
    },
    find: (hash) => made.find(hash) ?? (hasEnded(hash) ? undefined : listed.find(hash)),
    hasOwner: (owner) => listed.hasOwner(owner) || made.hasOwner(owner),
    // As in `find`, a key that is in both is the made one.
    secretOwner: (hash) => made.secretOwner?.(hash) ?? (hasEnded(hash) ? undefined : listed.secretOwner?.(hash)),
    hashOf: (owner) => made.hashOf?.(owner) ?? listed.hashOf?.(owner),
    used(record) {
      listed.used?.(record);
      made.used?.(record);
    },
    explain: (key, hash) => listed.explain?.(key, hash) ?? made.explain?.(key, hash),
  };
}

/** The codes of keys that were valid once. */
const ENDS: ReadonlySet<string | undefined> = new Set(["key_expired", "key_revoked", "key_rotated"]);

/** Creates a source of keys that are named by their place in a list: the second is `<kind>:2`. */
function listedKeys(kind: string, keys: readonly string[], maxRequests: number, cluster: string): KeySource {
  const records = new Map<string, KeyRecord>();
  for (const [index, key] of keys.entries()) {
    const hash = sha256(key);
    const caller = createCaller(`${kind}:${index + 1}`, { maxRequests });
    if (!records.has(hash)) records.set(hash, { ...caller, owner: ownerName(key, cluster) });
  }
  const hashes = new Map(Array.from(records, ([hash, { owner }]) => [owner, hash]));
  return {
    isEmpty: records.size === 0,
    find: (hash) => records.get(hash),
    hasOwner: (owner) => hashes.has(owner),
    secretOwner: (hash) => records.get(hash)?.owner,
    hashOf: (owner) => hashes.get(owner),
  };
}

/** Returns the SHA-256 hash of a text, in lower-case hex. */
export function sha256(text: string): string {
  return Bun.CryptoHasher.hash("sha256", text, "hex");
}

/** Returns the keys in a request: the bearer token, `x-api-key` and `api-key`. */
export function keysOf(headers: Headers): readonly string[] {
  const keys: string[] = [];
  const bearer = bearerIn(headers.get("authorization"));
  if (bearer !== undefined) keys.push(bearer);
  const named = headers.get("x-api-key");
  if (named) keys.push(named);
  const short = headers.get("api-key");
  if (short) keys.push(short);
  return keys;
}
