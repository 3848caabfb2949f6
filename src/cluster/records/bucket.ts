/** One record as the bucket has it. Each change of any record gives it a greater revision than all before. */
export interface BucketEntry {
  readonly key: string;
  /** Undefined for a record that was removed. The bucket remembers for a while that it was. */
  readonly value: string | undefined;
  readonly revision: number;
}

/** The outcome of a write: it was made, the record has changed since the given revision, or the outcome is unknown. */
export type BucketWrite =
  | { readonly kind: "written"; readonly revision: number }
  | { readonly kind: "conflict" | "failed" };

/** Records that all servers of a cluster share, while there is a connection to them. */
export interface Bucket {
  /** Resolves when the bucket can no longer be used and has to be opened again. */
  readonly ended: Promise<void>;
  /** Identifies the bucket. One that is made after another was lost has another identity, although it has the same name. */
  readonly identity: string;
  /** `Clock.elapsed` of the last moment at which the watch was known to have told everything; undefined before the first. */
  readonly confirmedAt: number | undefined;
  /** The greatest revision when it was opened. */
  readonly lastRevision: number;
  /** Whether nothing was ever written to it. */
  readonly isNew: boolean;
  /**
   * Calls `onEntry` for each record, also for removed ones that are remembered, then `onReady` once, and then `onEntry` for
   * each change, until it has ended. Called once.
   */
  watch(watcher: BucketWatcher): void;
  /** Reads one record. Undefined if it never existed or is forgotten, `failed` if it could not be read. Never rejects. */
  read(key: string): Promise<BucketEntry | undefined | "failed">;
  /** Ends the bucket because its answers contradict each other, so that all records are read again. */
  doubt(): void;
  /** Writes or removes a record if its last change has this revision; 0 if it never existed. Never rejects. */
  write(key: string, value: string | undefined, revision: number): Promise<BucketWrite>;
}

export interface BucketWatcher {
  onEntry(entry: BucketEntry): void;
  onReady(): void;
}

/** A bucket that was opened, or why it was not. `isAbsent`: NATS keeps no records. */
export type OpenedBucket =
  | { readonly ok: true; readonly bucket: Bucket }
  | { readonly ok: false; readonly reason: string; readonly isAbsent: boolean };
