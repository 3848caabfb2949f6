import { randomBytes } from "node:crypto";
import type { KeySource, KeySources } from "../auth/keys.ts";
import type { Clock } from "../system/deps.ts";
import { digestOfFile, isSameInFile } from "./file-entries.ts";
import { agreed, kindOfChange } from "./key-changes.ts";
import { type ChangeRequest, type KeyDraft, KeyDrafts, type KeyUse, type SecretDraft } from "./key-drafts.ts";
import type { KeyEntry, KeyKind } from "./key-entry.ts";
import type { KeyEvent } from "./key-event.ts";
import { KeyIndex, withUse } from "./key-index.ts";
import type { KeyRecords } from "./key-records.ts";
import { keysToForget, MAX_ACCEPTED } from "./key-room.ts";
import { createKeySource } from "./key-source.ts";
import type { KeyPatch, KeySpec } from "./key-spec.ts";
import { keyHash, type RandomBytes } from "./key-text.ts";
import type { KeysStanding, Revocation } from "./shared-keys.ts";

/** A key that was made, or whose secret was. The text is shown once, to the caller that asked, and kept nowhere. */
export interface MadeKey {
  readonly entry: KeyEntry;
  readonly text: string;
  /** Whether an earlier request of the same name had made it. */
  readonly isRepeat: boolean;
}

export interface KeyBookOptions {
  readonly records: KeyRecords;
  readonly clock: Clock;
  /** Concurrent requests of each key; 0 sets no limit. */
  readonly maxRequests: number;
  /** The system's random source unless given. */
  readonly random?: RandomBytes;
  /** Kinds of keys that the server requires even if there are none. */
  readonly requires?: readonly KeyKind[];
  /** What is known of the keys that the servers of a cluster share. Absent for a server that has its keys for itself. */
  readonly standing?: (() => KeysStanding) | undefined;
}

/** The kinds of key for which there are doors. */
const DOOR_KINDS = ["client", "worker", "admin"] as const satisfies readonly KeyKind[];
/** The time between two notes of a key's use. */
const USE_NOTED_EVERY_MS = 60_000;

/**
 * All keys that the configuration does not list: those that were made while the server ran, and those of `KEYS_FILE`. It is
 * the only owner of their entries. Made keys are kept by its records; keys of the file are kept by the file.
 *
 * Methods that change a key throw `key_not_found` for an id that nobody has, and `invalid_request` for a change that this key
 * does not allow.
 */
export class KeyBook {
  readonly #options: KeyBookOptions;
  readonly #index: KeyIndex;
  readonly #listeners = new Set<(event: KeyEvent) => void>();
  readonly #useListeners: ((entry: KeyEntry) => void)[] = [];
  readonly #forgetListeners: ((entry: KeyEntry) => void)[] = [];
  /** The kinds of which there are or were keys. A kind never leaves: without its last key, its door stays shut. */
  readonly #kinds: Set<KeyKind>;
  /** The valid keys, which the gates ask. */
  readonly sources: KeySources;
  /** The join tokens. */
  readonly joins: KeySource;
  /** Works changes out that are made elsewhere first, and `commit`ted here afterwards. */
  readonly drafts: KeyDrafts;

  constructor(options: KeyBookOptions) {
    this.#options = options;
    this.#index = new KeyIndex(options.maxRequests);
    this.drafts = new KeyDrafts({
      find: (id) => this.#index.get(id)?.entry,
      makeRoom: () => this.#makeRoom(),
      clock: options.clock,
      random: options.random ?? randomBytes,
    });
    this.#kinds = new Set(options.requires);
    for (const entry of options.records.load()) this.#hold(entry);
    if ((options.records.unreadable?.() ?? 0) > 0) this.#shutDoors();
    this.sources = { api: this.#sourceOf("client"), client: this.#sourceOf("worker"), admin: this.#sourceOf("admin") };
    this.joins = this.#sourceOf("join");
  }

  /** Returns the entry of a key, valid or not, with its latest use. */
  get(id: string): KeyEntry | undefined {
    const held = this.#index.get(id);
    return held && withUse(held);
  }

  /** Lists all entries, in the order in which they were made here. */
  list(): readonly KeyEntry[] {
    return Array.from(this.#index.all(), withUse);
  }

  /** Returns the entry whose key has this text, whether or not the key is valid; undefined for a text that is no key. */
  findByText(text: string): KeyEntry | undefined {
    return this.findByHash(keyHash(text));
  }

  /** Returns the entry that has a secret with this hash, valid or not. */
  findByHash(hash: string): KeyEntry | undefined {
    const found = this.#index.find(hash);
    return found && withUse(found.held);
  }

  /** Whether there are, or were, keys of this kind. */
  hasAny(kind: KeyKind): boolean {
    return this.#kinds.has(kind);
  }

  /** A digest of what `KEYS_FILE` says; undefined if it lists no key. Servers with the same file have the same digest. */
  fileDigest(): string | undefined {
    return digestOfFile(this.list().filter(({ source }) => source === "file"));
  }

  /** Calls a listener after each change. Returns a function that ends this. */
  onChange(listener: (event: KeyEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls a listener when a key was used here, at most once a minute for each key. */
  onUse(listener: (entry: KeyEntry) => void): void {
    this.#useListeners.push(listener);
  }

  /** Calls a listener when a key that had ended before is forgotten, which changes nothing for those who use keys. */
  onForget(listener: (entry: KeyEntry) => void): void {
    this.#forgetListeners.push(listener);
  }

  /** Makes a key. A repeated request gets the key that the first one made; see `key_already_shown` for the limits of that. */
  create(spec: KeySpec, request: ChangeRequest): MadeKey {
    return this.commitSecret(this.drafts.create(spec, request));
  }

  /** Changes what a key allows. */
  update(id: string, patch: KeyPatch): KeyEntry {
    return this.commit(this.drafts.update(id, patch));
  }

  /** Ends a key for good. Does nothing to one that is revoked already. */
  revoke(id: string, request: ChangeRequest): KeyEntry {
    return this.commit(this.drafts.revoke(id, request));
  }

  /** Gives a key another secret, and lets the current one be used for `overlapMs` more. Repetitions are as for `create`. */
  rotate(id: string, overlapMs: number, request: ChangeRequest): MadeKey {
    return this.commitSecret(this.drafts.rotate(id, overlapMs, request));
  }

  /** Keeps what else has changed about a made key: how often a join token was used, or the worker that a key belongs to. */
  amend(id: string, change: KeyUse): KeyEntry {
    return this.commit(this.drafts.amend(id, () => change));
  }

  /** Makes a change that was worked out, unless a newer entry has arrived since. Returns the current entry. */
  commit({ kind, entry, before }: KeyDraft): KeyEntry {
    const current = this.#index.get(entry.id)?.entry;
    if (entry === before) return this.get(entry.id) ?? entry;
    if (current === before) return this.#put(kind, entry, before);
    this.accept(entry);
    return this.get(entry.id) ?? entry;
  }

  commitSecret(draft: SecretDraft): MadeKey {
    return { entry: this.commit(draft), text: draft.text, isRepeat: draft.isRepeat };
  }

  /** Writes an entry that does not count yet, so that a failure can be noticed before anything has changed. */
  write(entry: KeyEntry): void {
    this.#options.records.put(entry);
  }

  /** Writes what counts in place of an entry that was only written. */
  unwrite(id: string): void {
    const current = this.get(id);
    if (current) this.#options.records.put(current);
    else this.#options.records.remove(id);
  }

  /**
   * Takes in an entry from another server of the cluster. A revoked key never becomes valid by that. Returns false for a new key
   * for which there is no room: somebody who may write to what the servers share must not fill their memory.
   */
  accept(entry: KeyEntry): boolean {
    const before = this.#index.get(entry.id)?.entry;
    if (before?.source === "file") return true;
    if (!before && this.#index.size >= MAX_ACCEPTED) return false;
    const { lastUsedAt: _, ...known } = before ?? entry;
    const next = before ? agreed(known, entry) : entry;
    if (!before || !Bun.deepEquals(known, next)) this.#put(kindOfChange(before, next), next, before);
    return true;
  }

  /** Notes that a key has an entry which this version cannot read. Of the change, only a revocation counts. */
  acceptUnreadable(id: string, revocation: Revocation | undefined): void {
    this.#shutDoors();
    const before = this.#index.get(id)?.entry;
    if (before && revocation) this.accept({ ...before, ...revocation });
  }

  /** Notes that a key was used at another server of the cluster. */
  noteUse(id: string, at: number): void {
    const held = this.#index.get(id);
    if (!held || held.entry.source === "file" || at <= held.lastUsedAt) return;
    held.lastUsedAt = Math.min(at, this.#options.clock.now());
  }

  /** Takes out a key that the servers of the cluster keep no longer. */
  drop(id: string): void {
    const entry = this.#index.get(id)?.entry;
    if (!entry || entry.source === "file") return;
    this.#index.delete(id);
    this.drafts.forget(entry);
    this.#options.records.remove(id);
    this.#tell({ kind: "removed", entry, before: entry, isFirst: false });
  }

  /** Takes over the keys of `KEYS_FILE`, in place of those that it had before. */
  replaceFile(entries: readonly KeyEntry[]): void {
    const ids = new Set(entries.map(({ id }) => id));
    const gone = this.list().filter(({ id, source }) => source === "file" && !ids.has(id));
    for (const entry of gone) {
      this.#index.delete(entry.id);
      this.#tell({ kind: "removed", entry, before: entry, isFirst: false });
    }
    for (const entry of entries) {
      const before = this.#index.get(entry.id)?.entry;
      if (before && isSameInFile(before, entry)) continue;
      const isFirst = this.#hold(entry);
      this.#tell({ kind: kindOfChange(before, entry), entry, before, isFirst });
    }
  }

  /** Keeps all doors shut. An entry that cannot be read may be all that shuts one, and nothing tells which one. */
  #shutDoors(): void {
    for (const kind of DOOR_KINDS) this.#kinds.add(kind);
  }

  #sourceOf(kind: KeyKind): KeySource {
    return createKeySource({
      kind,
      index: this.#index,
      clock: this.#options.clock,
      // An operator who creates a join token expects that workers need one.
      hasAny: (each) => this.#kinds.has(each) || (each === "worker" && this.#kinds.has("join")),
      standing: this.#options.standing,
      onUse: (id) => this.#used(id),
    });
  }

  #used(id: string): void {
    const held = this.#index.get(id);
    const now = this.#options.clock.now();
    if (!held || now - held.lastUsedAt < USE_NOTED_EVERY_MS) return;
    held.lastUsedAt = now;
    if (held.entry.source === "made") this.#options.records.used(id, now);
    for (const listener of this.#useListeners) listener(held.entry);
  }

  #put(kind: KeyEvent["kind"], entry: KeyEntry, before: KeyEntry | undefined): KeyEntry {
    const isFirst = this.#hold(entry);
    const held = this.get(entry.id) ?? entry;
    if (held.source === "made") this.#options.records.put(held);
    this.#tell({ kind, entry: held, before, isFirst });
    return held;
  }

  /** Takes an entry in. Returns whether it is the first one of its kind. */
  #hold(entry: KeyEntry): boolean {
    const isFirst = !this.#kinds.has(entry.kind);
    this.#index.set(entry);
    this.#kinds.add(entry.kind);
    this.drafts.remember(entry);
    return isFirst;
  }

  #tell(event: KeyEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Makes room for one more key. Throws `invalid_request` if there are too many valid ones. */
  #makeRoom(): void {
    const now = this.#options.clock.now();
    for (const entry of keysToForget(this.#index.size, () => this.list(), now)) this.#forget(entry);
  }

  #forget(entry: KeyEntry): void {
    const { id, kind } = entry;
    // After a restart, the last key of its kind is all that says that the door for this kind was ever shut.
    if (this.#index.countOf(kind) === 1) return;
    this.#index.delete(id);
    this.drafts.forget(entry);
    this.#options.records.remove(id);
    for (const listener of this.#forgetListeners) listener(entry);
  }
}
