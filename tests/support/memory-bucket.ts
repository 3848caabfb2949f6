import type { Bucket, BucketEntry, BucketWatcher, BucketWrite } from "../../src/cluster/records/bucket.ts";

/**
 * A bucket in memory, on which any number of servers may open a view. Nothing happens by itself: each `step` lets one thing
 * happen, a change arriving or a write being made, chosen by `random` among those that may happen next.
 */
export class MemoryBucket {
  readonly #entries = new Map<string, BucketEntry>();
  readonly #views = new Set<View>();
  readonly identity: string;
  #revision = 0;

  /** Buckets of one name that replace each other have different identities. */
  constructor(identity = "first") {
    this.identity = identity;
  }

  /** Returns the records that exist. */
  records(): Readonly<Record<string, string>> {
    const existing = [...this.#entries.values()].flatMap(({ key, value }) =>
      value === undefined ? [] : [[key, value]],
    );
    return Object.fromEntries(existing.toSorted());
  }

  open(): View {
    const view = new View(this, this.#revision === 0);
    this.#views.add(view);
    return view;
  }

  get lastRevision(): number {
    return this.#revision;
  }

  /** Returns a copy, as a bucket is that was restored from a backup of now. */
  copy(): MemoryBucket {
    const copy = new MemoryBucket(this.identity);
    for (const [key, entry] of this.#entries) copy.#entries.set(key, entry);
    copy.#revision = this.#revision;
    return copy;
  }

  /** Forgets that records were removed, as a bucket does after a long time. */
  forgetRemoved(): void {
    for (const [key, { value }] of this.#entries) if (value === undefined) this.#entries.delete(key);
  }

  /** Lets one thing happen. Returns false if nothing is left to happen. */
  step(random: () => number = () => 0): boolean {
    const ready = [...this.#views].filter((view) => view.hasWork);
    const view = ready[Math.floor(random() * ready.length)];
    view?.work(random);
    return view !== undefined;
  }

  /** Lets everything happen, and what follows from it. */
  async settle(random?: () => number): Promise<void> {
    for (;;) {
      await Promise.resolve();
      await Promise.resolve();
      if (this.step(random)) continue;
      await new Promise((resolve) => setImmediate(resolve));
      if (!this.step(random)) return;
    }
  }

  get(key: string): BucketEntry | undefined {
    return this.#entries.get(key);
  }

  all(): readonly BucketEntry[] {
    return [...this.#entries.values()].toSorted((a, b) => a.revision - b.revision);
  }

  write(key: string, value: string | undefined, revision: number): BucketWrite {
    if ((this.#entries.get(key)?.revision ?? 0) !== revision) return { kind: "conflict" };
    this.#revision += 1;
    const entry = { key, value, revision: this.#revision };
    this.#entries.set(key, entry);
    for (const view of this.#views) view.arrive(entry);
    return { kind: "written", revision: this.#revision };
  }

  close(view: View): void {
    this.#views.delete(view);
  }
}

/** A bucket as one server has opened it. */
export class View implements Bucket {
  readonly isNew: boolean;
  readonly ended: Promise<void>;
  readonly identity: string;
  readonly confirmedAt = 0;
  readonly lastRevision: number;
  readonly #bucket: MemoryBucket;
  readonly #end: () => void;
  readonly #changes: (() => void)[] = [];
  readonly #calls: ((isBroken: boolean) => void)[] = [];
  #watcher: BucketWatcher | undefined;

  constructor(bucket: MemoryBucket, isNew: boolean) {
    this.#bucket = bucket;
    this.isNew = isNew;
    this.identity = bucket.identity;
    this.lastRevision = bucket.lastRevision;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  get hasWork(): boolean {
    return this.#changes.length + this.#calls.length > 0;
  }

  watch(watcher: BucketWatcher): void {
    this.#watcher = watcher;
    for (const entry of this.#bucket.all()) this.#changes.push(() => watcher.onEntry(entry));
    this.#changes.push(() => watcher.onReady());
  }

  read(key: string): Promise<BucketEntry | undefined | "failed"> {
    return new Promise((resolve) => {
      this.#calls.push((isBroken) => resolve(isBroken ? "failed" : this.#bucket.get(key)));
    });
  }

  write(key: string, value: string | undefined, revision: number): Promise<BucketWrite> {
    return new Promise((resolve) => {
      this.#calls.push((isBroken) => resolve(isBroken ? { kind: "failed" } : this.#bucket.write(key, value, revision)));
    });
  }

  doubt(): void {
    this.break();
  }

  /** Breaks the connection. With `areWritten`, the writes under way are made, although nobody learns of it. */
  break(areWritten = false): void {
    this.#bucket.close(this);
    const calls = this.#calls.splice(0);
    this.#changes.splice(0);
    if (areWritten) for (const call of calls) call(false);
    else for (const call of calls) call(true);
    this.#end();
  }

  arrive(entry: BucketEntry): void {
    const watcher = this.#watcher;
    if (watcher) this.#changes.push(() => watcher.onEntry(entry));
  }

  work(random: () => number): void {
    const isChange = this.#calls.length === 0 || (this.#changes.length > 0 && random() < 0.5);
    if (isChange) this.#changes.shift()?.();
    else this.#calls.shift()?.(false);
  }
}
