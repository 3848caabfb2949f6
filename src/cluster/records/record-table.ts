import type { Bucket, BucketEntry } from "./bucket.ts";
import { type RecordMerge, RecordMerges } from "./record-merges.ts";
import type { ConfirmedWrite, Known, Pending } from "./record-versions.ts";
import { Rewrites } from "./rewrites.ts";

/** The most writes that are under way at once. */
const MAX_WRITING = 64;

/** Receives the changes of other servers. An undefined value means that the record was removed. */
export type RecordListener = (key: string, value: string | undefined) => void;

/**
 * The records of a bucket, as this server knows them, and its own changes, which are written as soon as there is a bucket. A
 * change is made only to the version of the record that this server knew. If another server was first, its version counts
 * here too, so all servers end with the same records, and one that was away brings back nothing that was removed.
 *
 * If the bucket itself is lost and another one takes its place, each server brings to it what it knew from the lost one. A
 * bucket that has lost only its last changes, because NATS crashed or was restored from a backup, gets these back.
 */
export class RecordTable {
  readonly #known = new Map<string, Known>();
  readonly #pending = new Map<string, Pending>();
  readonly #writing = new Map<string, string | undefined>();
  readonly #listeners: { readonly prefix: string; readonly listener: RecordListener }[] = [];
  readonly #onReady: (() => void)[] = [];
  readonly #merges = new RecordMerges();
  readonly #rewrites = new Rewrites();
  #bucket: Bucket | undefined;
  #isReady = false;
  #hasLoaded = false;
  /** The identity of the bucket that was read last. */
  #loaded: string | undefined;

  /** Whether the records of a bucket have been read since the start. */
  get hasLoaded(): boolean {
    return this.#hasLoaded;
  }

  /** Whether there is a bucket, and its records have been read. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** The number of changes that the bucket does not have yet. */
  get pending(): number {
    return this.#pending.size;
  }

  get(key: string): string | undefined {
    const pending = this.#pending.get(key);
    return pending ? pending.value : this.#known.get(key)?.value;
  }

  /** Returns a record that the bucket has as well; undefined while a change of this server is under way. */
  settled(key: string): string | undefined {
    return this.#pending.has(key) ? undefined : this.#known.get(key)?.value;
  }

  /** Returns the records whose keys begin with `prefix`. */
  *entries(prefix: string): Iterable<readonly [key: string, value: string]> {
    for (const key of new Set([...this.#known.keys(), ...this.#pending.keys()])) {
      const value = key.startsWith(prefix) ? this.get(key) : undefined;
      if (value !== undefined) yield [key, value];
    }
  }

  /** Calls `listener` for each change of another server to a record whose key begins with `prefix`. */
  onChange(prefix: string, listener: RecordListener): void {
    this.#listeners.push({ prefix, listener });
  }

  /**
   * Sets how versions of records whose keys begin with `prefix` are joined. What this server knew of them then outlives the
   * loss of a bucket, and an older bucket gets the records that it lacks. It MUST come to the same result in any order.
   */
  mergeBy(prefix: string, merge: RecordMerge): void {
    this.#merges.set(prefix, merge);
  }

  /**
   * Adds a record that this server has kept itself. It is used until a bucket is read, and is written to a new bucket. If an
   * older bucket lacks it, it was removed while this server was away, and is dropped.
   */
  seed(key: string, value: string): void {
    if (!this.#hasLoaded && !this.#known.has(key)) this.#known.set(key, { value, revision: 0 });
  }

  /** Calls `listener` whenever the records of a bucket have been read. */
  onReady(listener: () => void): void {
    this.#onReady.push(listener);
  }

  /** Changes a record; undefined removes it. */
  set(key: string, value: string | undefined): void {
    if (this.get(key) === value) return;
    const base = this.#pending.get(key)?.base ?? this.#known.get(key)?.revision ?? 0;
    const isLost = this.#pending.get(key)?.isLost ?? false;
    this.#pending.set(key, { value, base, isLost });
    this.flush();
  }

  /** Changes a record on the condition that the bucket still has the version that is known here. */
  async write(key: string, value: string): Promise<ConfirmedWrite> {
    const bucket = this.#bucket;
    if (!bucket || !this.#isReady) return "away";
    // What this server has to write itself comes first.
    if (this.#pending.has(key) || this.#writing.has(key)) return "conflict";
    const base = this.#known.get(key)?.revision ?? 0;
    // Until the answer arrives, the watch may tell of this change, as of that of another server.
    const written = await bucket.write(key, value, base);
    if (this.#bucket && this.#bucket.identity !== bucket.identity) return "unknown";
    if (written.kind === "written") {
      this.#confirm(key, value, written.revision);
      return "written";
    }
    const entry = await bucket.read(key);
    if (this.#bucket !== bucket) return written.kind === "conflict" ? "away" : "unknown";
    if (entry === "failed") return written.kind === "conflict" ? "away" : "unknown";
    if (written.kind === "failed" && entry?.value !== value) return "unknown";
    if (written.kind === "failed" && entry) {
      this.#confirm(key, value, entry.revision);
      return "written";
    }
    if (entry) {
      this.#take(entry);
      return "conflict";
    }
    if (this.#isMissed(key, base)) {
      bucket.doubt();
      return "away";
    }
    return "conflict";
  }

  /** Takes over the records of a bucket, in place of an earlier one. */
  attach(bucket: Bucket): void {
    this.#bucket = bucket;
    this.#isReady = false;
    const isSuccessor = this.#loaded !== undefined && this.#loaded !== bucket.identity;
    if (isSuccessor) this.#restart();
    const seen = new Set<string>();
    bucket.watch({
      onEntry: (entry) => {
        if (this.#bucket !== bucket) return;
        if (!this.#isReady) seen.add(entry.key);
        this.#take(entry);
      },
      onReady: () => {
        if (this.#bucket !== bucket) return;
        this.#settleUnseen(seen, bucket.isNew || isSuccessor, bucket.lastRevision);
        this.#loaded = bucket.identity;
        for (const pending of this.#pending.values()) pending.isLost = false;
        this.#isReady = true;
        this.#hasLoaded = true;
        for (const listener of this.#onReady) listener();
        this.flush();
      },
    });
  }

  /** Keeps changes until there is a bucket again. */
  detach(): void {
    this.#bucket = undefined;
    this.#isReady = false;
  }

  /** Begins to write the changes that the bucket does not have. Called again after a write that failed. */
  flush(): void {
    const bucket = this.#bucket;
    if (!bucket || !this.#isReady) return;
    for (const [key, pending] of this.#pending) {
      if (this.#writing.size >= MAX_WRITING) return;
      if (!pending.isLost && !this.#writing.has(key)) void this.#write(bucket, key, pending);
    }
  }

  #take({ key, value, revision }: BucketEntry): void {
    const known = this.#known.get(key);
    if (known && known.revision >= revision) {
      // While a bucket is being read, an earlier version means that it has lost the later one.
      if (!this.#isReady) this.#regain(key, { value, revision });
      return;
    }
    const before = this.get(key);
    // The bucket reports the writes of this server like those of others.
    if (this.#writing.has(key) && this.#writing.get(key) === value) {
      this.#confirm(key, value, revision);
      this.#tellIfChanged(key, before, this.get(key));
      return;
    }
    const merged = this.#merges.join(key, before, value, value);
    this.#known.set(key, { value, revision });
    this.#pending.delete(key);
    const isRewritten = this.#rewrites.allow(key, merged !== value);
    if (isRewritten) this.#pending.set(key, { value: merged, base: revision, isLost: false });
    this.#tellIfChanged(key, before, merged);
    if (isRewritten) this.flush();
  }

  /** Notes that the bucket has a change of this server. The server may have changed the record again since. */
  #confirm(key: string, value: string | undefined, revision: number): void {
    const known = this.#known.get(key);
    if (known && known.revision >= revision) return;
    this.#known.set(key, { value, revision });
    const pending = this.#pending.get(key);
    if (pending?.value === value) this.#pending.delete(key);
    else if (pending) pending.base = revision;
  }

  /** Gives up the revisions of a lost bucket, which mean nothing in the one that has taken its place. */
  #restart(): void {
    for (const [key, { value }] of this.#known) {
      if (value === undefined) this.#known.delete(key);
      else this.#known.set(key, { value, revision: 0 });
    }
    for (const pending of this.#pending.values()) {
      pending.base = 0;
      pending.isLost = false;
    }
  }

  /** Brings what this server knows of a record back to a bucket that has lost it and has an earlier version. */
  #regain(key: string, earlier: Known): void {
    const before = this.get(key);
    const wanted = this.#merges.join(key, before, earlier.value, before);
    this.#known.set(key, earlier);
    if (wanted === earlier.value) this.#pending.delete(key);
    else this.#pending.set(key, { value: wanted, base: earlier.revision, isLost: false });
    this.#tellIfChanged(key, before, wanted);
  }

  /** Decides about records that the bucket does not have, not even as removed ones. `isOurs`: it gets what is known here. */
  #settleUnseen(seen: ReadonlySet<string>, isOurs: boolean, lastRevision: number): void {
    for (const [key, { value, revision }] of this.#known) {
      if (seen.has(key)) continue;
      if (revision > lastRevision) this.#regain(key, { value: undefined, revision: 0 });
      else if (revision > 0) this.#forget(key);
      else if ((isOurs || this.#merges.has(key)) && !this.#pending.has(key))
        this.#pending.set(key, { value, base: 0, isLost: false });
      else if (!this.#pending.has(key)) this.#forget(key);
      this.#known.delete(key);
    }
  }

  #forget(key: string): void {
    const before = this.get(key);
    this.#known.delete(key);
    this.#pending.delete(key);
    if (before !== undefined) this.#tell(key, undefined);
  }

  /**
   * Whether a record exists by what the watch has told, so that a reading which has not found it does not prove that it is gone. A
   * NATS server that has just become the leader of the bucket may not have all records yet. A removal is told by the watch.
   */
  #isMissed(key: string, revision: number): boolean {
    const known = this.#known.get(key);
    return known?.value !== undefined && known.revision === revision;
  }

  #tellIfChanged(key: string, before: string | undefined, after: string | undefined): void {
    if (before !== after) this.#tell(key, after);
  }

  #tell(key: string, value: string | undefined): void {
    for (const { prefix, listener } of this.#listeners) if (key.startsWith(prefix)) listener(key, value);
  }

  async #write(bucket: Bucket, key: string, pending: Pending): Promise<void> {
    const { value, base } = pending;
    this.#writing.set(key, value);
    const written = await bucket.write(key, value, base);
    this.#writing.delete(key);
    // A write to a bucket that was lost meanwhile says nothing about its successor.
    if (this.#bucket && this.#bucket.identity !== bucket.identity) return this.flush();
    if (written.kind === "written") this.#confirm(key, value, written.revision);
    if (written.kind === "conflict") await this.#give(bucket, key, base);
    if (written.kind !== "failed") this.flush();
  }

  /** Gives a change up because another server was first, and takes over what that server has written. */
  async #give(bucket: Bucket, key: string, base: number): Promise<void> {
    const pending = this.#pending.get(key);
    // The other server's change may have arrived before the answer to the write.
    if (pending?.base !== base) return;
    pending.isLost = true;
    const entry = await bucket.read(key);
    if (this.#bucket !== bucket) return;
    if (entry === "failed") pending.isLost = false;
    else if (entry) this.#take(entry);
    else if (this.#pending.get(key)?.base !== base) return;
    else if (this.#isMissed(key, base)) bucket.doubt();
    else {
      // The record had been removed before it was changed here, and the bucket has forgotten that.
      this.#known.delete(key);
      pending.base = 0;
      pending.isLost = false;
    }
  }
}
