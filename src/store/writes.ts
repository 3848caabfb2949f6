import type { Database } from "bun:sqlite";
import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import { codeOf } from "./store-fault.ts";

/** How soon failed writes are tried again. */
const RETRY_MS = 10_000;

/**
 * The writes of the server's records. A write is carried out at once. If that fails, because the disk is full or broken,
 * the server goes on with what it has in memory, and the write is tried again until it succeeds or a newer one of the
 * same record replaces it. There are therefore at most as many failed writes as records.
 */
export class Writes {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Failed writes by their records, oldest first. */
  readonly #failed = new Map<string, () => void>();
  /** The names of attempts that failed last time. */
  readonly #failedAttempts = new Set<string>();
  #cancelRetry: CancelTimer | undefined;

  constructor(db: Database, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
  }

  /** Whether something is not on disk yet. */
  get areFailing(): boolean {
    return this.#failed.size > 0 || this.#failedAttempts.size > 0;
  }

  /** Writes a record; `run` carries out the statement. Never throws. */
  write(record: string, run: () => void): void {
    if (this.#failed.size === 0) {
      try {
        return void run();
      } catch (error) {
        this.#report(error);
      }
    }
    this.#failed.delete(record);
    this.#failed.set(record, run);
    this.#cancelRetry ??= this.#clock.every(RETRY_MS, () => this.#retry());
  }

  /**
   * Carries out a write once. If it fails, its caller keeps what is to be written and tries again under the same `name`.
   * Returns whether it was written. Never throws.
   */
  attempt(name: string, run: () => void): boolean {
    try {
      run();
    } catch (error) {
      if (!this.areFailing) this.#report(error);
      this.#failedAttempts.add(name);
      return false;
    }
    if (this.#failedAttempts.delete(name) && !this.areFailing) this.#log.info("store.write_recovered", { records: 1 });
    return true;
  }

  /** Makes sure that what was written survives a crash of the machine as well. */
  flush(): void {
    if (this.areFailing) return;
    try {
      this.#db.run("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // It is in the log of the database, and the next checkpoint takes it from there.
    }
  }

  /** Tries what has failed once more, and then gives it up. */
  stop(): void {
    if (this.#failed.size > 0) this.#retry();
    this.#cancelRetry?.();
  }

  #report(error: unknown): void {
    const reason = codeOf(error);
    const isBusy = reason.startsWith("SQLITE_BUSY");
    const remedy = isBusy ? "end the other program that writes to moorage.db" : "check the disk of DATA_DIR";
    this.#log.error("store.write_failed", {
      reason,
      hint: `${remedy}; until then, what changes now is lost at a restart`,
    });
  }

  #retry(): void {
    try {
      this.#db.transaction(() => {
        for (const run of this.#failed.values()) run();
      })();
    } catch {
      // Logged when the first write failed.
      return;
    }
    this.#log.info("store.write_recovered", { records: this.#failed.size });
    this.#failed.clear();
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }
}
