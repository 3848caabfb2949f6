import type { Config } from "../config.ts";
import { bearerIn } from "../wire/bearer.ts";
import { type Caller, createCaller } from "./caller.ts";
import { ownerName } from "./owner-name.ts";

/** A key's holder: the caller it makes of a client, and the owner it makes of a worker. */
export interface KeyRecord extends Caller {
  /** Recognises the holder as the owner of a worker id, on every server and after every restart. See `ownerName`. */
  readonly owner: string;
}

/** Keys of one kind, found by their hashes: a key itself is never kept. */
export interface KeySource {
  /**
   * No key has been set up, so a door without roles either lets everybody in. Read once, at the start: a source whose
   * keys come and go MUST answer false, or removing the last key would open the door.
   */
  readonly isEmpty: boolean;
  /**
   * The record of the key with this SHA-256 hash, in lower-case hex. A look-up in a map is as safe as comparing every key
   * in constant time: its duration depends on the hash, and nobody can choose a guess whose hash comes closer to that of
   * a key.
   */
  find(hash: string): KeyRecord | undefined;
}

/** The keys of a server, by what they open. */
export interface KeySources {
  /** Keys for the API and for transfers. */
  readonly api: KeySource;
  /** Keys for workers and for transfers. */
  readonly client: KeySource;
  /** Keys of operators, for the dashboard, the State API and its actions. */
  readonly admin: KeySource;
}

/** The keys that the configuration lists. */
export function configuredKeys({ apiKeys, clientKeys, adminKeys, maxRequestsPerKey }: Config): KeySources {
  return {
    admin: listedKeys("admin-key", adminKeys, maxRequestsPerKey),
    api: listedKeys("api-key", apiKeys, maxRequestsPerKey),
    client: listedKeys("client-key", clientKeys, maxRequestsPerKey),
  };
}

/** Keys by their place in a list: the second is called `<kind>:2`. */
function listedKeys(kind: string, keys: readonly string[], maxRequests: number): KeySource {
  const records = new Map<string, KeyRecord>();
  for (const [index, key] of keys.entries()) {
    const hash = sha256(key);
    const caller = createCaller(`${kind}:${index + 1}`, { maxRequests });
    if (!records.has(hash)) records.set(hash, { ...caller, owner: ownerName(key) });
  }
  return { isEmpty: records.size === 0, find: (hash) => records.get(hash) };
}

/** The SHA-256 hash of a text, in lower-case hex. */
export function sha256(text: string): string {
  return Bun.CryptoHasher.hash("sha256", text, "hex");
}

/** The keys that a request carries: as Bearer token, `x-api-key` or `api-key`. */
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
