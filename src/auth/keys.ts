import type { Config } from "../config.ts";
import { bearerIn } from "../wire/bearer.ts";
import { type Caller, createCaller } from "./caller.ts";
import { ownerName } from "./owner-name.ts";

/** The identity behind a key: the caller for a client, and the owner for a worker. */
export interface KeyRecord extends Caller {
  /** Identifies the owner of a worker id, on every server and after every restart. See `ownerName`. */
  readonly owner: string;
}

/** Keys of one kind, found by their hashes. A key itself is never kept. */
export interface KeySource {
  /**
   * Whether no key is configured, so that a gate without roles lets everybody in. Read when the gates are built. A source
   * whose keys come and go MUST be false, because otherwise removing the last key would open the gate.
   */
  readonly isEmpty: boolean;
  /**
   * Returns the record of the key with this SHA-256 hash, in lower-case hex. A look-up in a map is as safe as comparing
   * every key in constant time, because its duration depends on the hash, and nobody can choose a guess whose hash is
   * closer to that of a key.
   */
  find(hash: string): KeyRecord | undefined;
  /** Whether any key of this source stands for this owner. A worker's id is free for others once no source says so. */
  hasOwner(owner: string): boolean;
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

/** Creates a source of keys that are named by their place in a list: the second is `<kind>:2`. */
function listedKeys(kind: string, keys: readonly string[], maxRequests: number, cluster: string): KeySource {
  const records = new Map<string, KeyRecord>();
  for (const [index, key] of keys.entries()) {
    const hash = sha256(key);
    const caller = createCaller(`${kind}:${index + 1}`, { maxRequests });
    if (!records.has(hash)) records.set(hash, { ...caller, owner: ownerName(key, cluster) });
  }
  const owners = new Set(Array.from(records.values(), ({ owner }) => owner));
  return {
    isEmpty: records.size === 0,
    find: (hash) => records.get(hash),
    hasOwner: (owner) => owners.has(owner),
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
