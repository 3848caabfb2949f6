import type { Clock } from "../system/deps.ts";
import type { OAuthKeep, OAuthRow, SharedOAuth } from "./oauth-records.ts";

/** The kinds of records: the text before the first colon of their names. */
export const KINDS = ["client", "grant", "token", "transaction", "used"] as const;
export type OAuthKind = (typeof KINDS)[number];

export interface OAuthTableOptions {
  readonly clock: Pick<Clock, "now" | "every" | "after">;
  /** Keeps the records over a restart; undefined for a server that keeps nothing. */
  readonly keep?: OAuthKeep | undefined;
  /** The records of the cluster; undefined for a server without one. */
  readonly shared?: SharedOAuth | undefined;
}

/** How often expired records are looked for, and how many records are looked at then. */
const PRUNE_EVERY_MS = 30_000;
const PRUNED_AT_ONCE = 5000;
/**
 * How long a record that is not known is waited for in a cluster. A client may bring a code to another server than the one that has
 * just written its grant, and NATS carries the grant there within milliseconds.
 */
const HEARD_WITHIN_MS = 400;

/** How a record was written. `conflict`: it has changed since it was read. `away`: what the cluster shares cannot be written. */
export type OAuthWritten = "written" | "conflict" | "away";

/**
 * All records of the authorization server, in memory. It is their only owner. What has expired is never returned, and is removed
 * within minutes.
 */
export class OAuthTable {
  readonly #options: OAuthTableOptions;
  readonly #byKind = new Map<string, Map<string, OAuthRow>>();
  readonly #removedListeners: ((row: OAuthRow) => void)[] = [];
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #stop: () => void;
  #pruning: Iterator<OAuthRow> | undefined;

  constructor(options: OAuthTableOptions) {
    this.#options = options;
    const { keep, shared, clock } = options;
    // Where NATS keeps no records, each server has its own.
    for (const row of [...(keep?.load() ?? []), ...(shared?.load() ?? [])]) this.#hold(row);
    shared?.watch((name, row) => (row ? this.#hold(row) : this.#drop(name)));
    this.#stop = clock.every(PRUNE_EVERY_MS, () => {
      this.#prune();
      shared?.retry();
    });
  }

  /** Whether this server has not heard yet which records its cluster has. */
  get isUnread(): boolean {
    return this.#options.shared?.isUnread ?? false;
  }

  /** Returns a record that has not expired. */
  get(name: string): OAuthRow | undefined {
    const row = this.#of(name).get(name);
    return row && !this.#hasExpired(row) ? row : undefined;
  }

  /** Returns a record. In a cluster, one that another server may just have written is waited for. */
  async heard(name: string): Promise<OAuthRow | undefined> {
    const row = this.get(name);
    if (row || !this.#options.shared) return row;
    await this.#appears(name);
    return this.get(name);
  }

  /** Lists the records of a kind that have not expired, the oldest first. */
  *rows(kind: OAuthKind): Iterable<OAuthRow> {
    for (const row of this.#byKind.get(kind)?.values() ?? []) if (!this.#hasExpired(row)) yield row;
  }

  /** The number of records of a kind, expired ones included. */
  count(kind: OAuthKind): number {
    return this.#byKind.get(kind)?.size ?? 0;
  }

  /** Writes a record whose value was `before` when it was read; undefined for one that did not exist. */
  async put(row: OAuthRow, before: string | undefined): Promise<OAuthWritten> {
    if (this.get(row.name)?.value !== before) return "conflict";
    const { shared } = this.#options;
    const written = shared ? await shared.write(row) : "own";
    if (written === "conflict" || written === "away") return written;
    if (written === "own") this.#options.keep?.save(row);
    this.#hold(row);
    return "written";
  }

  /**
   * Removes a record. Resolves with whether there was one, or with `away` if the other servers of a cluster cannot be told yet. It is gone
   * here in any case.
   */
  async remove(name: string): Promise<boolean | "away"> {
    const isKnown = this.get(name) !== undefined;
    this.#drop(name);
    this.#options.keep?.remove(name);
    const areAllTold = (await this.#options.shared?.remove(name)) ?? true;
    return areAllTold ? isKnown : "away";
  }

  /** Calls `listener` after a record has been removed or has expired, here or at another server. */
  onRemoved(listener: (row: OAuthRow) => void): void {
    this.#removedListeners.push(listener);
  }

  close(): void {
    this.#stop();
  }

  #of(name: string): Map<string, OAuthRow> {
    const kind = name.slice(0, Math.max(0, name.indexOf(":")));
    let rows = this.#byKind.get(kind);
    if (!rows) {
      rows = new Map();
      // A name of another kind is read and found nowhere. Nobody can make the table remember kinds.
      if (KINDS.some((each) => each === kind)) this.#byKind.set(kind, rows);
    }
    return rows;
  }

  #hold(row: OAuthRow): void {
    this.#of(row.name).set(row.name, row);
    for (const wake of this.#waiting.get(row.name) ?? []) wake();
  }

  #drop(name: string): void {
    const rows = this.#of(name);
    const row = rows.get(name);
    if (!row) return;
    rows.delete(name);
    for (const listener of this.#removedListeners) listener(row);
  }

  #hasExpired({ expiresAt }: OAuthRow): boolean {
    return expiresAt !== undefined && this.#options.clock.now() >= expiresAt;
  }

  #appears(name: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? new Set();
      this.#waiting.set(name, waiting);
      const end = (): void => {
        cancel();
        waiting.delete(end);
        if (waiting.size === 0) this.#waiting.delete(name);
        resolve();
      };
      const cancel = this.#options.clock.after(HEARD_WITHIN_MS, end);
      waiting.add(end);
    });
  }

  /** Removes expired records, a few at a time: a server may have tens of thousands of records. */
  #prune(): void {
    this.#pruning ??= this.#all();
    for (let looked = 0; looked < PRUNED_AT_ONCE; looked += 1) {
      const { done, value } = this.#pruning.next();
      if (done || !value) {
        this.#pruning = undefined;
        return;
      }
      if (!this.#hasExpired(value)) continue;
      // All servers find that it has expired. What belongs to a grant goes when the grant's record is written again.
      if (this.#options.shared && /^(?:token|used):/.test(value.name)) {
        this.#drop(value.name);
        this.#options.keep?.remove(value.name);
      } else void this.remove(value.name);
    }
  }

  *#all(): Generator<OAuthRow> {
    for (const rows of this.#byKind.values()) yield* rows.values();
  }
}
