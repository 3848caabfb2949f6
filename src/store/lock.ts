import { Database } from "bun:sqlite";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, STORE_EXIT, StoreFault } from "./store-fault.ts";

const LOCK = "moorage.lock";
/** Says who holds the lock, for people. The lock file itself cannot be read while it is held. */
const HOLDER = "moorage.pid";

/** The exclusive use of a directory, until it is released or the process ends in any way. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Takes the lock of a directory. Throws a `StoreFault` if another server has it, in this process or in another one. The
 * lock is one of the operating system's on a file, which SQLite takes in the same way on every system, so it ends with
 * the process even after SIGKILL. The database beside it is not locked, so that a backup can read it.
 */
export function lockDirectory(directory: string, createFile: (path: string) => void): DirectoryLock {
  const path = join(directory, LOCK);
  createFile(path);
  const lock = new Database(path, { readwrite: true, create: true });
  try {
    lock.run("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!codeOf(error).startsWith("SQLITE_BUSY")) throw error;
    throw new StoreFault(
      `${directory} is in use by another server${holderIn(directory)}`,
      "stop that server first, or give this one a DATA_DIR of its own",
      STORE_EXIT.inUse,
    );
  }
  const holder = join(directory, HOLDER);
  createFile(holder);
  writeFileSync(holder, `${process.pid}\n`);
  return { release: () => lock.close() };
}

function holderIn(directory: string): string {
  try {
    const pid = readFileSync(join(directory, HOLDER), "utf8").trim();
    return /^\d{1,10}$/.test(pid) ? ` (process ${pid})` : "";
  } catch {
    // The file serves the message only.
    return "";
  }
}
