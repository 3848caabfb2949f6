import { Database } from "bun:sqlite";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, STORE_EXIT, StoreFault, StoreInUse } from "./store-fault.ts";

const LOCK = "moorage.lock";
/** Says who holds the lock: the id of the process, and `command` unless it is a server. The lock file cannot be read while it is held. */
const HOLDER = "moorage.pid";
/** How long a lock is waited for that a command holds. A command takes a fraction of a second. */
const WAIT_MS = 10_000;
const LOOK_EVERY_MS = 20;
/** How long a holder may take to say what it is: until then, the file may name the one before. */
const SETTLED_MS = 100;

/** A server, which holds its directory as long as it runs, or a command on the database of one that does not run. */
export type StoreUser = "server" | "command";

/** The exclusive use of a directory, until it is released or the process ends in any way. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Takes the lock of a directory. Throws a `StoreFault` if another server has it, in this process or in another one. A command that
 * has it is waited for, at most 10 s, during which the process stands still: nothing else can begin without the store. The lock is one of the operating system's on a file, which SQLite takes in the same way on every system, so it ends with
 * the process even after SIGKILL. The database beside it is not locked, so that a backup can read it.
 */
export function lockDirectory(
  directory: string,
  createFile: (path: string) => void,
  user: StoreUser,
  waitMs = WAIT_MS,
): DirectoryLock {
  const path = join(directory, LOCK);
  createFile(path);
  const lock = new Database(path, { readwrite: true, create: true });
  const holderFile = join(directory, HOLDER);
  for (let waitedMs = 0; !isLocked(lock); waitedMs += LOOK_EVERY_MS) {
    const { process: pid, user: holder } = holderIn(holderFile);
    if (waitedMs < (holder === "command" ? waitMs : SETTLED_MS)) {
      Bun.sleepSync(LOOK_EVERY_MS);
      continue;
    }
    lock.close();
    const named = pid === undefined ? "" : ` (process ${pid})`;
    if (holder === "command")
      throw new StoreFault(
        `a command${named} has used ${directory} for ${Math.round(waitMs / 1000)} s`,
        "wait until it has ended, or end it, and try again",
        STORE_EXIT.inUse,
      );
    throw new StoreInUse(
      `${directory} is in use by another server${named}`,
      "stop that server first, or give this one a DATA_DIR of its own",
      STORE_EXIT.inUse,
    );
  }
  createFile(holderFile);
  writeFileSync(holderFile, user === "server" ? `${process.pid}\n` : `${process.pid} ${user}\n`);
  return {
    release() {
      // Else it would say of the next holder, for a moment, that it is a command.
      if (user === "command") writeFileSync(holderFile, "");
      lock.close();
    },
  };
}

/** Returns whether the lock could be taken. It is closed after any other error. */
function isLocked(lock: Database): boolean {
  try {
    lock.run("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (codeOf(error).startsWith("SQLITE_BUSY")) return false;
    lock.close();
    throw error;
  }
}

interface LockHolder {
  readonly process: string | undefined;
  /** A holder that does not say what it is counts as a command that has just begun or ended. */
  readonly user: StoreUser;
}

function holderIn(file: string): LockHolder {
  try {
    const [, pid, user] = /^(\d{1,10})( command)?$/.exec(readFileSync(file, "utf8").trim()) ?? [];
    return { process: pid, user: pid !== undefined && user === undefined ? "server" : "command" };
  } catch {
    return { process: undefined, user: "command" };
  }
}
