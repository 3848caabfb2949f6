import { Database } from "bun:sqlite";
import { chmodSync, closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Log } from "../system/deps.ts";
import { type DirectoryLock, lockDirectory, type StoreUser } from "./lock.ts";
import { migrate } from "./schema.ts";
import { StoreFault, toStoreFault } from "./store-fault.ts";
import { Writes } from "./writes.ts";

/** The name of the database in its directory. */
export const STORE_FILE = "moorage.db";
/** How long the start waits for another program that has the file open, such as a backup. */
const OPEN_BUSY_MS = 2000;
/**
 * The same for a write of a server that runs: while it waits, every stream stands still. Backups and other readers never make
 * it wait; only a program that writes to the file does, and the write is then tried again.
 */
const BUSY_MS = 5;
/**
 * The size of the write-ahead log, in pages of 4 KiB, at which a write moves it into the database. This blocks the event loop
 * for 3 ms on the machine of docs/performance.md; SQLite's default of 1,000 pages blocked it for 8 ms.
 */
const CHECKPOINT_PAGES = 100;
/** Above this size of the file, the tables of usage and calls are not checked at the start, but all others are. */
const MAX_CHECKED_BYTES = 32 * 1024 * 1024;
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

/** When a write is complete: once the disk has it, or once the operating system has it. */
export type StoreSync = "full" | "normal";

interface StoreDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** The server's database. It has one connection, and one server at a time. */
export interface Store {
  readonly db: Database;
  readonly writes: Writes;
  /**
   * Opens a connection of its own for a view of one moment that is read over several turns of the event loop. The caller
   * MUST close it.
   */
  openReader(): Database;
  /** Closes the file and releases the directory. Writes that had failed are tried once more. */
  close(): void;
}

/**
 * Opens the store in a directory, both of which are created if they are missing. Throws a `StoreFault` with what to do if
 * the directory cannot be used, another server uses it, or the file is damaged or of a newer version.
 */
export function openStore(
  directory: string,
  deps: StoreDeps,
  sync: StoreSync = "normal",
  user: StoreUser = "server",
): Store {
  const path = join(directory, STORE_FILE);
  let lock: DirectoryLock | undefined;
  let db: Database | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    warnIfWritable(directory, deps.log);
    lock = lockDirectory(directory, createFile, user);
    createFile(path);
    db = new Database(path, { readwrite: true, create: true, strict: true });
    setUp(db, path, sync);
    const writes = new Writes(db, deps);
    const [opened, held] = [db, lock];
    return {
      db,
      writes,
      openReader: () => new Database(path, { readonly: true, strict: true }),
      close() {
        writes.stop();
        opened.close();
        held.release();
      },
    };
  } catch (error) {
    db?.close();
    lock?.release();
    throw toStoreFault(error, path);
  }
}

function setUp(db: Database, path: string, sync: StoreSync): void {
  db.run(`PRAGMA busy_timeout = ${OPEN_BUSY_MS}`);
  db.run("PRAGMA journal_mode = WAL");
  // A crash of the process loses nothing. With NORMAL, a crash of the machine may lose the last writes, but never leaves a
  // damaged file.
  db.run(`PRAGMA synchronous = ${sync === "full" ? "FULL" : "NORMAL"}`);
  db.run(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.run("PRAGMA foreign_keys = ON");
  if (!isSound(db, path)) {
    throw new StoreFault(
      `${path} is damaged`,
      "restore it from a backup, or move it and the files beside it away to start without what it held",
    );
  }
  migrate(db, path);
  db.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
}

/**
 * Returns whether the file is undamaged, as far as a start can wait for the answer. 140 MB of usage, from 90 days with 250 busy
 * keys and models, take 1.5 s to check.
 */
function isSound(db: Database, path: string): boolean {
  const isOk = (argument: string): boolean => db.query(`PRAGMA quick_check(${argument})`).values()[0]?.[0] === "ok";
  if (statSync(path).size <= MAX_CHECKED_BYTES) return isOk("1");
  const tables = db
    .query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'usage_%' AND name <> 'mcp_call'")
    .values();
  return tables.every(([name]) => isOk(`'${name}'`));
}

/** Creates a file for the server's user alone, before SQLite would create it for more. SQLite's own files copy its mode. */
function createFile(path: string): void {
  closeSync(openSync(path, "a", FILE_MODE));
  chmodSync(path, FILE_MODE);
}

/** Warns if others may replace the files. The mode of a directory that exists already is its owner's choice. */
function warnIfWritable(directory: string, log: Log): void {
  if (process.platform === "win32" || (statSync(directory).mode & 0o002) === 0) return;
  log.warn("store.directory_writable", {
    directory,
    effect: "every user of this machine may replace the files in DATA_DIR",
    hint: `chmod 700 ${directory}`,
  });
}
