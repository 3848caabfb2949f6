import type { KeyRecord } from "../auth/keys.ts";
import { ownerOfSecret, toKeyRecord } from "./key-caller.ts";
import type { KeyEntry, KeyKind } from "./key-entry.ts";

/** One key in memory: its current entry, the caller that it makes, and when it was last used. */
export interface HeldKey {
  readonly entry: KeyEntry;
  readonly record: KeyRecord;
  /** Milliseconds since 1970; 0 for a key that nobody has used. */
  lastUsedAt: number;
}

/** What a hash stands for. */
export interface HashedKey {
  readonly held: HeldKey;
  /** The caller that sends this secret. */
  readonly record: KeyRecord;
  /** When the secret of this hash stops being valid; undefined for the current one. */
  readonly validUntil: number | undefined;
}

/** Returns the entry of a key with its latest use. */
export function withUse({ entry, lastUsedAt }: HeldKey): KeyEntry {
  return lastUsedAt === (entry.lastUsedAt ?? 0) ? entry : { ...entry, lastUsedAt };
}

/** All keys, found by id and by the hashes of their secrets, in a time that does not depend on their number. */
export class KeyIndex {
  readonly #maxRequests: number;
  readonly #byId = new Map<string, HeldKey>();
  readonly #byHash = new Map<string, HashedKey>();
  /** How many keys of each kind there are, valid or not. */
  readonly #counts = new Map<KeyKind, number>();

  /** `maxRequests` is the limit on concurrent requests of each key; 0 sets none. */
  constructor(maxRequests: number) {
    this.#maxRequests = maxRequests;
  }

  get size(): number {
    return this.#byId.size;
  }

  countOf(kind: KeyKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  get(id: string): HeldKey | undefined {
    return this.#byId.get(id);
  }

  find(hash: string): HashedKey | undefined {
    return this.#byHash.get(hash);
  }

  all(): Iterable<HeldKey> {
    return this.#byId.values();
  }

  /** Takes an entry in, in place of an earlier one with its id. */
  set(entry: KeyEntry): void {
    const before = this.#byId.get(entry.id);
    if (before) {
      this.#forgetHashes(before);
      this.#count(before.entry.kind, -1);
    }
    this.#count(entry.kind, 1);
    const held: HeldKey = {
      entry,
      record: toKeyRecord(entry, this.#maxRequests),
      lastUsedAt: Math.max(before?.lastUsedAt ?? 0, entry.lastUsedAt ?? 0),
    };
    this.#byId.set(entry.id, held);
    for (const { hash, validUntil } of entry.former) this.#setHash(hash, held, validUntil);
    this.#setHash(entry.secret.hash, held, undefined);
  }

  delete(id: string): void {
    const held = this.#byId.get(id);
    if (!held) return;
    this.#byId.delete(id);
    this.#forgetHashes(held);
    this.#count(held.entry.kind, -1);
  }

  #setHash(hash: string, held: HeldKey, validUntil: number | undefined): void {
    const { entry, record } = held;
    const isOperator = entry.kind === "admin";
    const own = isOperator ? { ...record, owner: ownerOfSecret(entry.id, hash) } : record;
    this.#byHash.set(hash, { held, record: own, validUntil });
  }

  #forgetHashes(held: HeldKey): void {
    for (const { hash } of [held.entry.secret, ...held.entry.former])
      if (this.#byHash.get(hash)?.held === held) this.#byHash.delete(hash);
  }

  #count(kind: KeyKind, by: 1 | -1): void {
    this.#counts.set(kind, this.countOf(kind) + by);
  }
}
