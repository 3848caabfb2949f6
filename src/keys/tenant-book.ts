import { Fault } from "../errors.ts";
import type { Clock } from "../system/deps.ts";
import { sortedText } from "./key-changes.ts";
import type { KeyLimits } from "./key-terms.ts";
import { keyHash } from "./key-text.ts";
import type { TenantEntry } from "./tenant-entry.ts";
import type { TenantRecords } from "./tenant-records.ts";

export interface TenantBookOptions {
  /** Undefined if limits that are set would not survive a restart. None are set then. */
  readonly records: TenantRecords | undefined;
  /** Whether limits that are set survive a restart. As long as there are records unless given. */
  readonly isKept?: (() => boolean) | undefined;
  /** Whether the records that the servers of a cluster share cannot be reached. Never unless given. */
  readonly isAway?: (() => boolean) | undefined;
  readonly clock: Pick<Clock, "now">;
}

/** Called with the limits of a tenant that now count; empty if it has none any more. */
export type TenantListener = (name: string, limits: KeyLimits) => void;

/** The most tenants that have limits, apart from those of `KEYS_FILE`. */
const MAX_TENANTS = 1000;
const NO_LIMITS: KeyLimits = {};
const NOT_KEPT =
  "This server cannot keep limits of tenants: DATA_DIR is not set, and it has no cluster whose NATS has JetStream. Set DATA_DIR and restart the server, or list tenants in a file and set KEYS_FILE.";
const AWAY =
  "Limits of tenants cannot be changed while this server cannot reach the records of its cluster in NATS. Try again shortly.";
/** When a client may try again while NATS is away, in seconds. */
const RETRY_AFTER_S = 5;

/**
 * The limits of tenants: those that operators have set, and those of `KEYS_FILE`, which come first. It is the only owner of their
 * entries.
 *
 * Methods that change a tenant throw `keys_not_kept` if nothing is kept, `keys_unavailable` while what a cluster keeps cannot be
 * reached, and `tenant_in_file` for one that the file lists.
 */
export class TenantBook {
  readonly #options: TenantBookOptions;
  readonly #made = new Map<string, TenantEntry>();
  #file: ReadonlyMap<string, TenantEntry> = new Map();
  readonly #listeners = new Set<TenantListener>();

  constructor(options: TenantBookOptions) {
    this.#options = options;
    for (const entry of options.records?.load() ?? []) this.#made.set(entry.name, entry);
    options.records?.watch?.({ saved: (entry) => this.#accept(entry), removed: (name) => this.#drop(name) });
  }

  /** Returns the limits of a tenant; undefined if it has none. */
  get(name: string): TenantEntry | undefined {
    return this.#file.get(name) ?? this.#made.get(name);
  }

  /** Lists the tenants that have limits, by their names. */
  list(): readonly TenantEntry[] {
    const all = new Map([...this.#made, ...this.#file]);
    return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Sets the limits of a tenant, in place of those that it had. Throws `invalid_request` if too many tenants have some. */
  set(name: string, limits: KeyLimits, by: string): TenantEntry {
    const records = this.#recordsFor(name);
    if (!this.#made.has(name) && this.#made.size >= MAX_TENANTS) {
      const message = `${MAX_TENANTS} tenants have limits already, which is the most. Remove the limits of some of them first.`;
      throw new Fault("invalid_request", { message });
    }
    // Servers go by the later change, and the clock of the server that made the last one may be ahead.
    const changedAt = Math.max(this.#options.clock.now(), (this.#made.get(name)?.changedAt ?? 0) + 1);
    const entry: TenantEntry = { name, limits, source: "made", changedAt, changedBy: by };
    this.#made.set(name, entry);
    records.put(entry);
    this.#tell(name);
    return entry;
  }

  /** Removes the limits of a tenant. Throws `tenant_not_found` if it has none. */
  remove(name: string): TenantEntry {
    const records = this.#recordsFor(name);
    const entry = this.#made.get(name);
    if (!entry) throw new Fault("tenant_not_found");
    this.#made.delete(name);
    records.remove(name);
    this.#tell(name);
    return entry;
  }

  /** Takes over the tenants of `KEYS_FILE`, in place of those that it had before. */
  replaceFile(entries: readonly TenantEntry[]): void {
    const before = this.#file;
    this.#file = new Map(entries.map((entry) => [entry.name, entry]));
    for (const name of new Set([...before.keys(), ...this.#file.keys()]))
      if (!Bun.deepEquals(before.get(name)?.limits, this.#file.get(name)?.limits)) this.#tell(name);
  }

  /** A digest of what `KEYS_FILE` says of tenants; undefined if it lists none. Servers with the same file have the same digest. */
  fileDigest(): string | undefined {
    if (this.#file.size === 0) return undefined;
    const listed = Array.from(this.#file.values(), ({ name, limits }) => sortedText({ name, limits }));
    return keyHash(listed.toSorted().join("\n"));
  }

  /** Calls a listener after each change. */
  onChange(listener: TenantListener): void {
    this.#listeners.add(listener);
  }

  /** Takes over limits that were set at another server. */
  #accept(entry: TenantEntry): void {
    if (!this.#made.has(entry.name) && this.#made.size >= MAX_TENANTS) return;
    this.#made.set(entry.name, entry);
    this.#tell(entry.name);
  }

  #drop(name: string): void {
    if (this.#made.delete(name)) this.#tell(name);
  }

  #recordsFor(name: string): TenantRecords {
    const { records, isKept, isAway } = this.#options;
    if (this.#file.has(name)) throw new Fault("tenant_in_file");
    if (isAway?.()) throw new Fault("keys_unavailable", { message: AWAY, retryAfterS: RETRY_AFTER_S });
    if (!records || isKept?.() === false) throw new Fault("keys_not_kept", { message: NOT_KEPT });
    return records;
  }

  #tell(name: string): void {
    const limits = this.get(name)?.limits ?? NO_LIMITS;
    for (const listener of this.#listeners) listener(name, limits);
  }
}
