import { Database } from "bun:sqlite";

/** The exclusive use of a file, until it is released or the process ends in any way. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the lock of a file, which is created if it is not there. Returns undefined if another process, or another lock of this
 * one, has it. The lock is one of the operating system's, which SQLite takes in the same way on every system, so it ends with the
 * process even after SIGKILL. Throws if the file cannot be used.
 */
export function lockFile(path: string): FileLock | undefined {
  const lock = new Database(path, { readwrite: true, create: true });
  try {
    lock.run("BEGIN EXCLUSIVE");
    return { release: () => lock.close() };
  } catch (error) {
    lock.close();
    if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY")) return undefined;
    throw error;
  }
}
