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
  readonly clock: Pick<Clock, "now">;
}

/** Called with the limits of a tenant that now count; empty if it has none any more. */
export type TenantListener = (name: string, limits: KeyLimits) => void;

/** The most tenants that have limits, apart from those of `KEYS_FILE`. */
const MAX_TENANTS = 1000;
const NO_LIMITS: KeyLimits = {};
const NOT_KEPT =
  "This server cannot keep limits of tenants: DATA_DIR is not set. Set DATA_DIR and restart the server, or list tenants in a file and set KEYS_FILE.";

/**
 * The limits of tenants: those that operators have set, and those of `KEYS_FILE`, which come first. It is the only owner of their
 * entries.
 *
 * Methods that change a tenant throw `keys_not_kept` if nothing is kept, and `tenant_in_file` for one that the file lists.
 */
export class TenantBook {
  readonly #options: TenantBookOptions;
  readonly #made = new Map<string, TenantEntry>();
  #file: ReadonlyMap<string, TenantEntry> = new Map();
  readonly #listeners = new Set<TenantListener>();

  constructor(options: TenantBookOptions) {
    this.#options = options;
    for (const entry of options.records?.load() ?? []) this.#made.set(entry.name, entry);
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
    const entry: TenantEntry = { name, limits, source: "made", changedAt: this.#options.clock.now(), changedBy: by };
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

  #recordsFor(name: string): TenantRecords {
    const { records } = this.#options;
    if (this.#file.has(name)) throw new Fault("tenant_in_file");
    if (!records) throw new Fault("keys_not_kept", { message: NOT_KEPT });
    return records;
  }

  #tell(name: string): void {
    const limits = this.get(name)?.limits ?? NO_LIMITS;
    for (const listener of this.#listeners) listener(name, limits);
  }
}
