import { agreed } from "../../keys/key-changes.ts";
import type { KeyEntry } from "../../keys/key-entry.ts";
import type { KeyRecords } from "../../keys/key-records.ts";
import {
  isSharedTextOf,
  readRevocation,
  readSharedEntry,
  sharedText,
  sharedTextOver,
} from "../../keys/shared-entry.ts";
import type { KeysStanding, SharedKeys, SharedKeysListener, SharedWrite } from "../../keys/shared-keys.ts";
import type { CancelTimer, Clock, Log } from "../../system/deps.ts";
import type { RecordTable } from "./record-table.ts";

const PREFIX = "key.";
/** How often the standing is looked at, so that somebody is told when it is another one. */
const LOOK_MS = 500;

export interface ClusterKeysOptions {
  readonly table: RecordTable;
  /** What this server keeps by itself: its copy of the keys. Undefined without `DATA_DIR`. */
  readonly local: KeyRecords | undefined;
  /** How long made keys count while no change of them is heard. */
  readonly staleMs: number;
  readonly reach: RecordReach;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is known of the way to the records. */
export interface RecordReach {
  /** Whether NATS keeps records; undefined until that is known. */
  readonly hasRecords: boolean | undefined;
  /** Whether records can be read and written now. */
  readonly isReached: boolean;
  /** `Clock.elapsed` of the last moment at which all changes were known here; undefined if there was none yet. */
  readonly confirmedAt: number | undefined;
}

/** Carries to the other servers when keys were used. */
export interface KeyUses {
  note(id: string, at: number): void;
  onTold(listener: (id: string, at: number) => void): void;
}

/**
 * The made keys of a cluster: all servers have the same ones, which are kept in the bucket that the table is attached to. A
 * server with `DATA_DIR` has a copy as well. It uses the copy until it has reached NATS, and brings to the bucket what that
 * lacks. Of two versions of a key, the newer one counts, and a revocation counts always. MUST be created before the table is
 * attached for the first time.
 *
 * Where NATS keeps no records, each server has the keys of its own `DATA_DIR`.
 */
export class ClusterKeys implements SharedKeys {
  readonly #options: ClusterKeysOptions;
  readonly #startedAt: number;
  readonly #stop: CancelTimer;
  #listener: SharedKeysListener | undefined;
  #uses: KeyUses | undefined;
  readonly #onRead: (() => void)[] = [];
  /** The same listeners, until an entry is heard of that cannot be read. */
  readonly #onUnreadable: (() => void)[] = [];
  #lastStood: KeysStanding;
  /** How many entries could not be read when all were loaded. */
  #unreadable = 0;
  /** What the key book keeps its entries with. */
  readonly records: KeyRecords;

  constructor(options: ClusterKeysOptions) {
    this.#options = options;
    const { table, local, clock } = options;
    this.#startedAt = clock.elapsed();
    table.mergeBy(PREFIX, (key, own, other) => merged(key.slice(PREFIX.length), own, other));
    for (const entry of local?.load() ?? []) table.seed(PREFIX + entry.id, sharedText(entry));
    table.onChange(PREFIX, (key, value) => this.#hear(key.slice(PREFIX.length), value));
    table.onReady(() => this.#look());
    this.records = {
      load: () => this.#load(),
      unreadable: () => this.#unreadable,
      put: (entry) => this.#keep(entry),
      remove: (id) => {
        local?.remove(id);
        table.set(PREFIX + id, undefined);
      },
      used: (id, at) => {
        local?.used(id, at);
        this.#uses?.note(id, at);
      },
    };
    this.#lastStood = this.standing();
    this.#stop = clock.every(LOOK_MS, () => this.#look());
  }

  /** Whether keys that are made survive a restart of this server. */
  get areKept(): boolean {
    const { local, table, reach } = this.#options;
    return local !== undefined || table.hasLoaded || reach.hasRecords !== false;
  }

  standing(): KeysStanding {
    const { table, reach, clock, staleMs } = this.#options;
    if (!table.hasLoaded && reach.hasRecords === false) return OWN;
    if (table.hasLoaded && reach.isReached) return CURRENT;
    const quietMs = clock.elapsed() - (reach.confirmedAt ?? this.#startedAt);
    const since = clock.now() - quietMs;
    return { kind: "away", since, until: since + staleMs, isUnread: !table.hasLoaded };
  }

  async write(entry: KeyEntry): Promise<SharedWrite> {
    const { kind } = this.standing();
    // Without a shared place, the copy of this server is all there is. `records` writes it.
    if (kind === "own") return "written";
    if (kind === "away") return "away";
    const { table } = this.#options;
    const key = PREFIX + entry.id;
    const text = sharedTextOver(entry, table.get(key));
    // The other servers would shut their doors. A revocation is written in any case, and is read from any entry.
    if (entry.revokedAt === undefined && !readSharedEntry(entry.id, text))
      throw new Error(`the entry of key ${entry.id} is not one that the servers of a cluster can read`);
    return table.write(key, text);
  }

  watch(listener: SharedKeysListener): void {
    this.#listener = listener;
  }

  /** Tells the other servers of uses from now on, and hears of theirs. Called once. */
  shareUses(uses: KeyUses): void {
    this.#uses = uses;
    uses.onTold((id, at) => {
      this.#options.local?.used(id, at);
      this.#listener?.used(id, at);
    });
  }

  onRead(listener: () => void): void {
    if (isUnread(this.#lastStood)) this.#onRead.push(listener);
    this.#onUnreadable.push(listener);
  }

  close(): void {
    this.#stop();
  }

  /** Returns the entries, the oldest first, and makes the copy of this server the same. */
  #load(): readonly KeyEntry[] {
    const { table, local } = this.#options;
    const found = [...table.entries(PREFIX)];
    const entries = found.flatMap(([key, value]) => readSharedEntry(key.slice(PREFIX.length), value) ?? []);
    this.#unreadable = found.length - entries.length + (local?.unreadable?.() ?? 0);
    const copies = new Map(local?.load().map((entry) => [entry.id, entry]));
    const loaded = entries.map((entry) => {
      const copy = copies.get(entry.id);
      copies.delete(entry.id);
      if (!copy || sharedText(copy) !== sharedText(entry)) local?.put(entry);
      return copy?.lastUsedAt === undefined ? entry : { ...entry, lastUsedAt: copy.lastUsedAt };
    });
    for (const id of copies.keys()) if (table.hasLoaded && !table.get(PREFIX + id)) local?.remove(id);
    return loaded.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  }

  #keep(entry: KeyEntry): void {
    const { local, table } = this.#options;
    local?.put(entry);
    const key = PREFIX + entry.id;
    const text = table.get(key);
    // A change that was written is there already. Any other one is written when there is a bucket.
    if (text !== undefined && isSharedTextOf(entry, text)) return;
    // What only a later version can read stays.
    if (text !== undefined && !readSharedEntry(entry.id, text)) return;
    table.set(key, sharedTextOver(entry, text));
  }

  #hear(id: string, value: string | undefined): void {
    if (value === undefined) return this.#listener?.removed(id);
    const entry = readSharedEntry(id, value);
    if (entry) return this.#listener?.saved(entry);
    this.#options.log.warn("keys.record_refused", { key: id.slice(0, 64), reason: "not the entry of a key" });
    this.#listener?.unreadable(id, readRevocation(id, value));
    for (const listener of this.#onUnreadable.splice(0)) listener();
  }

  #look(): void {
    const { log } = this.#options;
    const standing = this.standing();
    const before = this.#lastStood;
    this.#lastStood = standing;
    if (standing.kind === before.kind && isUnread(standing) === isUnread(before)) return;
    if (standing.kind === "away" && before.kind !== "away")
      log.warn("keys.away", {
        until: new Date(standing.until).toISOString(),
        effect: "keys cannot be changed here, and created keys count until then as they were last known",
      });
    else if (standing.kind === "current" && before.kind === "away") log.info("keys.current");
    if (isUnread(before)) for (const listener of this.#onRead.splice(0)) listener();
  }
}

function isUnread(standing: KeysStanding): boolean {
  return standing.kind === "away" && standing.isUnread;
}

const OWN: KeysStanding = { kind: "own" };
const CURRENT: KeysStanding = { kind: "current" };

/**
 * Returns the text of the entry that follows from two. What the bucket has stays as it is unless something is to be added to it:
 * a server of a later version may have written what cannot be read here.
 */
function merged(id: string, own: string, other: string): string {
  const [mine, theirs] = [readSharedEntry(id, own), readSharedEntry(id, other)];
  if (!mine || !theirs) return other;
  const entry = agreed(mine, theirs);
  return sharedText(entry) === sharedText(theirs) ? other : sharedTextOver(entry, other);
}
